"""Awaiting what has not arrived yet: the contract of patterns, and waiters without a loop.

A wait is a generator that yields how many seconds it is willing to sleep; :func:`run` drives it
with a thread's event, :func:`run_async` with the running asyncio loop. So every wait is written
once, and any number of threads and tasks may wait at the same time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from ..event import Event
from .emitters import Death, Silence
from .records import Record
from .where import Where

__all__ = [
    "Expectation",
    "Pattern",
    "Progress",
    "State",
    "Steps",
    "Waited",
    "Waiters",
    "expectation",
    "run",
    "run_async",
]

_T = TypeVar("_T")

State = Literal["open", "met", "failed"]
"""``failed``: whatever arrives later, it cannot be met any more."""

Steps = Generator[float, None, _T]
"""Yields seconds to sleep at most; ends with the wait's value."""


class Progress(Protocol):
    """One matching of a pattern against records, in their order; fed each record once."""

    @property
    def state(self) -> State:
        """Where the matching stands."""

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that were needed so far."""

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


Wake = Callable[[], None]


class Waiters:
    """The wake-up calls of everyone who waits; ringing costs nothing when nobody does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: tuple[Wake, ...] = ()

    def ring(self) -> None:
        """Wake everyone: something arrived. Called from any thread."""
        for wake in self._wakes:
            wake()

    @contextmanager
    def listening(self, wake: Wake) -> Iterator[None]:
        """Have ``wake`` called at every arrival while the block runs."""
        with self._lock:
            self._wakes = (*self._wakes, wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes = tuple(w for w in self._wakes if w is not wake)


def run(steps: Steps[_T], waiters: Waiters) -> _T:
    """Drive a wait in this thread."""
    arrived = threading.Event()

    def wake() -> None:
        if not arrived.is_set():
            arrived.set()

    with waiters.listening(wake):
        while True:
            # Cleared before reading: what arrives while we read rings for the next round.
            arrived.clear()
            try:
                seconds = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the generator's own type
            arrived.wait(seconds)


async def run_async(steps: Steps[_T], waiters: Waiters) -> _T:
    """Drive a wait in the running loop, which other tasks keep using meanwhile."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    rung = False

    def wake() -> None:
        nonlocal rung
        if not rung:
            rung = True
            loop.call_soon_threadsafe(arrived.set)

    with waiters.listening(wake):
        while True:
            arrived.clear()
            rung = False
            try:
                seconds = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the generator's own type
            try:
                async with asyncio.timeout(seconds):
                    await arrived.wait()
            except TimeoutError:
                continue
