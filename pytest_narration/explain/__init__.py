"""Failures in words: what was seen instead of what was expected.

Pure functions from records to text; the plugin, the steps and the rules' reports print them.
"""

from __future__ import annotations

from .lanes import emitters, timeline
from .nearest import Miss, compare, differences, hints, nearest
from .waiting import waited

__all__ = [
    "Miss",
    "compare",
    "differences",
    "emitters",
    "hints",
    "nearest",
    "timeline",
    "waited",
]
