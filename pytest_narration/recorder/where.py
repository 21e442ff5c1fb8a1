"""Conditions on one record, as keyword arguments: ``action="tokenize", tokens_in=7``.

Queries filter with them, single waits await them, :mod:`pytest_narration.pattern` composes them
and :mod:`pytest_narration.explain` shows where a near miss differs from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from ..event import COLUMNS, Event
from .records import Origin, Record

__all__ = ["ORIGIN", "Difference", "Matcher", "Where", "accepts"]

ORIGIN = frozenset(Origin._fields)
"""Conditions on the sighting; all others are on the event."""

_PLAIN = frozenset({str, int, float, bool})
"""Types of values that nothing but equality is meant by."""


@runtime_checkable
class Matcher(Protocol):
    """A condition on one value, richer than equality."""

    def accepts(self, value: Any) -> bool:
        """Judge the value of a field; ``None`` when the event does not have the field."""


def accepts(expected: Any, value: Any) -> bool:
    """Judge one value.

    A :class:`Matcher` or a function decides itself, a compiled regular expression must be found
    in the text, ``None`` means that the field is absent, anything else must be equal.
    """
    return _judge_of(expected)(value)


def _judge_of(expected: Any) -> Callable[[Any], bool]:
    """Return what judges values; telling what is expected costs more than many judgements."""
    if type(expected) not in _PLAIN:
        if isinstance(expected, re.Pattern):
            return lambda value: isinstance(value, str) and expected.search(value) is not None
        if isinstance(expected, Matcher):
            return expected.accepts
        if callable(expected):
            return lambda value: bool(expected(value))
    return lambda value: bool(value == expected)


class Difference(msgspec.Struct, frozen=True):
    """A condition that a record does not meet."""

    field: str
    expected: Any
    found: Any


class Where:
    """Conditions that one record meets together; immutable.

    :param predicate: one more condition, on the whole event.
    """

    __slots__ = ("_checks", "_places", "_rich", "conditions", "on_origin", "predicate")

    def __init__(
        self,
        conditions: Mapping[str, Any] | None = None,
        *,
        predicate: Callable[[Event], bool] | None = None,
    ) -> None:
        self.conditions: dict[str, Any] = dict(conditions or {})
        self.predicate = predicate
        self.on_origin = not ORIGIN.isdisjoint(self.conditions)
        # Equality is nearly every condition: on a flat column and on the origin it is judged
        # without calls.
        checks, places, rich = [], [], []
        for name, value in self.conditions.items():
            if name in COLUMNS and isinstance(value, str | int | float):
                checks.append((name, value))
            elif name in ORIGIN and type(value) is str:
                places.append((name, value))
            else:
                rich.append((name, _judge_of(value)))
        self._checks, self._places, self._rich = tuple(checks), tuple(places), tuple(rich)

    @property
    def is_empty(self) -> bool:
        """Whether every record meets it."""
        return not self.conditions and self.predicate is None

    def may_be_from(self, place: Origin | Record) -> bool:
        """Say whether a place of sightings meets the conditions of equality on it."""
        return all(getattr(place, name) == value for name, value in self._places)

    def matches(self, record: Record) -> bool:
        """Say whether the record meets every condition."""
        event = record.event
        for name, value in self._checks:
            if getattr(event, name) != value:
                return False
        if self._places and not self.may_be_from(record):
            return False
        for name, is_met in self._rich:
            if not is_met(_value(record, name)):
                return False
        return self.predicate is None or bool(self.predicate(event))

    def differences(self, record: Record) -> list[Difference]:
        """Return the conditions that the record does not meet, in the order they were given."""
        found = [
            Difference(name, expected, value)
            for name, expected in self.conditions.items()
            if not accepts(expected, value := _value(record, name))
        ]
        if self.predicate is not None and not self.predicate(record.event):
            found.append(Difference(_shown(self.predicate), True, False))
        return found

    def __repr__(self) -> str:
        parts = [f"{name}={_shown(value)}" for name, value in self.conditions.items()]
        if self.predicate is not None:
            parts.append(_shown(self.predicate))
        return f"event({', '.join(parts)})"


def _value(record: Record, name: str) -> Any:
    return getattr(record, name) if name in ORIGIN else record.event.field(name)


def _shown(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    name = getattr(value, "__name__", None)
    return f"<{name}>" if callable(value) and name else repr(value)
