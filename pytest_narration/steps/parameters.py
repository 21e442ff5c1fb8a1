"""The parameter types that phrases share: how each is written, and what it becomes.

``{string}`` and ``{int}`` are those of Cucumber Expressions; the others are this library's own.
``docs/steps.md`` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cluster import DURATION, seconds
from .json_path import JsonPath
from .selection import ARTICLE, SELECTION, selection
from .values import (
    AMOUNT,
    JSON,
    NUMBER,
    REGEX,
    STRING,
    VALUE,
    amount,
    json_value,
    quoted,
    regex,
    value,
)

__all__ = ["PARAMETERS", "Parameter"]

_NAMES = rf"{STRING}(?:, {STRING})*(?: and {STRING})?"


@dataclass(frozen=True)
class Parameter:
    """One type."""

    name: str
    regexp: str
    """Without groups."""
    convert: Callable[[str], Any]
    about: str
    """What it is, for people: "a duration"."""
    examples: tuple[str, ...]
    """Valid texts, for the documentation, for hints and for the test of ambiguity."""


def _names(text: str) -> list[str]:
    return [quoted(name) for name in re.findall(STRING, text)]


def _channel(text: str) -> str:
    return text


_ALL = (
    Parameter(
        "string",
        STRING,
        quoted,
        "a text in quotes, double or single",
        ('"checkout"', "'a \"quoted\" word'", '"${job_id}"', '""'),
    ),
    Parameter("int", r"-?\d+", int, "a whole number", ("3", "202")),
    Parameter("number", NUMBER, lambda text: float(text), "a number", ("3", "99.5")),
    Parameter(
        "duration",
        DURATION,
        seconds,
        "a duration: ms, s or min, or the whole words",
        ("2 s", "500 ms", "1.5 min", "10 seconds"),
    ),
    Parameter(
        "amount",
        AMOUNT,
        amount,
        "how many: a number, or one with bounds",
        ("3", "at least 2", "exactly 1", "between 2 and 4", "fewer than 10"),
    ),
    Parameter(
        "regex",
        REGEX,
        regex,
        "a regular expression between slashes; i after it ignores case",
        ("/order [0-9]+ paid/", "/refused/i"),
    ),
    Parameter(
        "path",
        STRING,
        lambda text: JsonPath(quoted(text)),
        "a place in a JSON document, in quotes",
        ('"$.error.code"', '"items[0].name"', '"$.items[*].id"'),
    ),
    Parameter(
        "value",
        VALUE,
        value,
        "what a value is expected to be",
        (
            '"paid"',
            "7",
            "true",
            "null",
            "/^job-/",
            "at least 3",
            "between 1 and 2.5",
            'one of "a", "b" or "c"',
            'not "paid"',
            'containing "order"',
            'without "secret"',
            "present",
            "absent",
            "empty",
            "a number",
            "a text",
            "a list",
            "an object",
            "a UUID",
            '["a", "b"]',
        ),
    ),
    Parameter(
        "names",
        _NAMES,
        _names,
        "one or more texts in quotes",
        ('"api"', '"api" and "worker"', '"api", "queue" and "worker"'),
    ),
    Parameter(
        "method",
        "(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)",
        str,
        "an HTTP method",
        ("GET", "POST", "DELETE"),
    ),
    Parameter(
        "json",
        JSON,
        json_value,
        "JSON in the line itself: an object or a list",
        ('{"items": 2}', "[]"),
    ),
    Parameter(
        "channel",
        "(?:stdout|the stream|a stream)",
        _channel,
        "where an event can be seen: the stream that was opened last, or any",
        ("stdout", "the stream", "a stream"),
    ),
    Parameter(
        "event",
        ARTICLE,
        selection,
        "one event, described",
        (
            'the event "checkout"',
            'the event "checkout" of "cart" for the request',
            'an event saying "Payment refused"',
            "an event saying /refused: .+/i",
            'the event "paid" with "items" = 2, "currency" = "EUR"',
            'any event of "cart" by "scheduler" at level "warn" or above',
            'the point "cart.checkout"',
        ),
    ),
    Parameter(
        "events",
        SELECTION,
        selection,
        "events, described without an article, after how many they are",
        ('events "retry" of "cart"', 'event at level "error" or above', 'event "paid" for the job'),
    ),
)
PARAMETERS: dict[str, Parameter] = {parameter.name: parameter for parameter in _ALL}
"""``{name: parameter}``, in the order of the documentation."""
