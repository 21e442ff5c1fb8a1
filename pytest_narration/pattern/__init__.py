"""Patterns: what a sequence of events should look like, composed from single events.

Tests write them, ``recorder.wait_for`` awaits them and ``recorder.match`` judges what came; see
``docs/patterns.md``.
"""

from __future__ import annotations

from .matchers import (
    Condition,
    absent,
    any_of,
    at_least,
    at_most,
    between,
    containing,
    is_not,
    present,
    regex,
)
from .nodes import Clock, Pattern, event
from .temporal import absence, bounded_existence, existence, precedence, response, scoped

__all__ = [
    "Clock",
    "Condition",
    "Pattern",
    "absence",
    "absent",
    "any_of",
    "at_least",
    "at_most",
    "between",
    "bounded_existence",
    "containing",
    "event",
    "existence",
    "is_not",
    "precedence",
    "present",
    "regex",
    "response",
    "scoped",
]
