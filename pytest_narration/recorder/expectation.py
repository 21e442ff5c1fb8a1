"""What can be awaited: the contract of patterns, and the two simplest of them.

:mod:`pytest_narration.pattern` composes richer ones; the recorder feeds whatever meets
:class:`Progress` and asks it how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from ..event import Event
from .emitters import Death, Silence
from .records import Record
from .where import Where

__all__ = [
    "Absence",
    "AbsenceProgress",
    "Expectation",
    "Pattern",
    "Progress",
    "State",
    "Waited",
    "expectation",
]

State = Literal["open", "met", "failed"]
"""``failed``: whatever arrives later, it cannot be met any more."""


class Progress(Protocol):
    """One matching of a pattern against records, in their order; fed each record once.

    Once it is met or has failed, it stays so, whatever is told to it.
    """

    @property
    def state(self) -> State:
        """Where the matching stands."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that were needed so far."""

    def concerns(self) -> Sequence[Where] | None:
        """Return conditions of which a record that matters meets at least one.

        The same throughout; records that meet none need not be fed. ``None``: all matter.
        """

    def feed(self, record: Record) -> None:
        """Take the next record."""

    def tick(self, now: float) -> None:
        """Take note that every record that arrived before ``now`` has been fed."""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` may change the state without a record, if ever."""

    def finish(self) -> None:
        """Take note that nothing more will be fed: an absence now holds."""

    def remaining(self) -> str:
        """Return what is still needed, as it would be written in a test."""

    def reason(self) -> str:
        """Return why the matching failed, ``""`` unless it did."""

    def awaited(self) -> list[Where]:
        """Return the conditions of the events that would bring the matching forward."""

    def is_hopeless(self, silence: Silence) -> bool:
        """Say whether something still needed can only come from emitters that are dead."""


class Pattern(Protocol):
    """An expectation on a sequence of events; immutable."""

    def start(self) -> Progress:
        """Begin a matching."""


class Expectation:
    """The simplest pattern: one event that meets conditions. It is its own progress."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self.state: State = "open"
        self.records: tuple[Record, ...] = ()

    def start(self) -> Expectation:
        return Expectation(self._where)

    def concerns(self) -> Sequence[Where]:
        return (self._where,)

    def feed(self, record: Record) -> None:
        if self.state == "open" and self._where.matches(record):
            self.state, self.records = "met", (record,)

    def tick(self, now: float) -> None:
        """An event has no time limit of its own."""

    def deadline(self) -> float | None:
        return None

    def finish(self) -> None:
        """An event that did not come stays open."""

    def remaining(self) -> str:
        return "" if self.state == "met" else repr(self._where)

    def reason(self) -> str:
        return ""

    def awaited(self) -> list[Where]:
        return [] if self.state == "met" else [self._where]

    def is_hopeless(self, silence: Silence) -> bool:
        return self.state == "open" and silence.covers(self._where.conditions)

    def __repr__(self) -> str:
        return repr(self._where)


class Absence:
    """A pattern that must not be met until the end of what is observed."""

    def __init__(self, inner: Pattern) -> None:
        self._inner = inner

    def start(self) -> AbsenceProgress:
        return AbsenceProgress(self._inner.start())

    def __repr__(self) -> str:
        return f"never {self._inner!r}"


class AbsenceProgress:
    """The matching of an :class:`Absence`: what meets the inner pattern breaks it."""

    def __init__(self, inner: Progress) -> None:
        self._inner = inner
        self._unwanted = inner.remaining()
        self.state: State = "open"

    @property
    def records(self) -> tuple[Record, ...]:
        return self._inner.records

    def concerns(self) -> Sequence[Where] | None:
        return self._inner.concerns()

    def feed(self, record: Record) -> None:
        self._inner.feed(record)
        self._judge()

    def _judge(self) -> None:
        if self._inner.state == "met":
            self.state = "failed"
        elif self._inner.state == "failed":
            self.state = "met"

    def tick(self, now: float) -> None:
        self._inner.tick(now)
        self._judge()

    def deadline(self) -> float | None:
        return self._inner.deadline()

    def finish(self) -> None:
        self._inner.finish()
        self._judge()
        if self.state == "open":
            self.state = "met"

    def remaining(self) -> str:
        return f"never {self._unwanted}"

    def reason(self) -> str:
        return f"{self._unwanted} came, and must not" if self.state == "failed" else ""

    def awaited(self) -> list[Where]:
        return []

    def is_hopeless(self, silence: Silence) -> bool:
        return False


def expectation(
    pattern: Pattern | Callable[[Event], bool] | None, where: dict[str, Any]
) -> Pattern:
    """Return what a test awaits: a pattern as it is, a function or keywords as one event."""
    if pattern is None:
        return Expectation(Where(where))
    if where:
        raise TypeError("pass a pattern or keyword conditions, not both")
    # Not isinstance: a runtime-checkable Protocol would look at every member.
    if hasattr(pattern, "start"):
        return pattern
    if not callable(pattern):
        raise TypeError(
            "expected a pattern such as event(action='listening'), a function of an event, or "
            f"conditions as keywords, not {pattern!r}"
        )
    return Expectation(Where(predicate=pattern))


class Waited(msgspec.Struct, frozen=True):
    """What a wait that ended without a match can say; :mod:`..explain` puts it into words."""

    remaining: str
    """What was still needed."""
    reason: str
    """Why it can no longer come; ``""`` when the time ran out."""
    timeout: float
    elapsed: float
    since: int
    """The mark that the wait began to read from."""
    awaited: tuple[Where, ...] = ()
    met: tuple[Record, ...] = ()
    """What had come of it."""
    dead: tuple[Death, ...] = ()
    """The processes that had ended, awaited or not."""
    lost: tuple[str, ...] = ()
    """The dead processes that the wait gave up for."""
