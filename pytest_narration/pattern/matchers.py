"""Conditions on one value that say more than equality: ``tokens_out=between(1, 64)``.

Tests pass them where a value is expected: to ``event(...)``, to ``wait_for``, to ``records``.
Anything with a method ``accepts(value)`` is one; compiled regular expressions and functions are
understood as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..recorder import accepts

__all__ = [
    "Condition",
    "absent",
    "any_of",
    "at_least",
    "at_most",
    "between",
    "containing",
    "is_not",
    "present",
    "regex",
]


class Condition:
    """A named judgement of one value; ``None`` stands for an absent field.

    :param text: how it is written in messages.
    """

    __slots__ = ("_judge", "_text")

    def __init__(self, text: str, judge: Callable[[Any], bool]) -> None:
        self._text = text
        self._judge = judge

    def accepts(self, value: Any) -> bool:
        """Judge the value of a field."""
        return self._judge(value)

    def __repr__(self) -> str:
        return self._text


def regex(expression: str | re.Pattern[str]) -> Condition:
    """Accept text in which the expression is found; anchor it with ``^`` and ``$``."""
    compiled = re.compile(expression)
    return Condition(
        f"regex({compiled.pattern!r})",
        lambda value: isinstance(value, str) and compiled.search(value) is not None,
    )


def containing(text: str) -> Condition:
    """Accept text that has this part."""
    return Condition(
        f"containing({text!r})", lambda value: isinstance(value, str) and text in value
    )


def between(low: float, high: float) -> Condition:
    """Accept numbers from ``low`` to ``high``, both included."""
    if low > high:
        raise ValueError(f"between({low}, {high}): the lower bound comes first")
    return Condition(
        f"between({low!r}, {high!r})", lambda value: _is_number(value) and low <= value <= high
    )


def at_least(low: float) -> Condition:
    """Accept numbers from ``low`` on."""
    return Condition(f"at_least({low!r})", lambda value: _is_number(value) and value >= low)


def at_most(high: float) -> Condition:
    """Accept numbers up to ``high``."""
    return Condition(f"at_most({high!r})", lambda value: _is_number(value) and value <= high)


def any_of(*expected: Any) -> Condition:
    """Accept what one of the values or conditions accepts."""
    if not expected:
        raise ValueError("any_of() accepts nothing: give it at least one value")
    shown = ", ".join(map(repr, expected))
    return Condition(f"any_of({shown})", lambda value: any(accepts(e, value) for e in expected))


def is_not(expected: Any) -> Condition:
    """Accept what the value or condition does not accept, an absent field included."""
    return Condition(f"is_not({expected!r})", lambda value: not accepts(expected, value))


present = Condition("present", lambda value: value is not None)
"""Accepts any value: the field is there."""

absent = Condition("absent", lambda value: value is None)
"""Accepts an absent field only."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
