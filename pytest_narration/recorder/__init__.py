"""The recorder: an append-only, thread-safe log of everything that sources and tests saw.

Sources add to it from their own threads. Tests, rules, stories and reports read it, and wait on
it, in any number and any order: reading and waiting never consume. What arrived is never changed
or removed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from ..event import Channel, Event
from ..formats import FieldMap, Format
from ..wire import Rejected
from .awaiting import Waiters
from .emitters import Death, Emitters, LastLines, Silence, Status
from .evidence import Evidence, View
from .expectation import Expectation, Pattern, Progress, State, Waited
from .log import EventLog
from .quiescence import OpenStreams, Unprinted
from .records import IN_PROCESS, Ending, Exchange, Frame, Match, Origin, Outcome, Record
from .waits import Explain, Waits, brief
from .where import Difference, Matcher, Where, accepts

__all__ = [
    "IN_PROCESS",
    "Death",
    "Difference",
    "Ending",
    "Evidence",
    "Exchange",
    "Expectation",
    "Explain",
    "Frame",
    "LastLines",
    "Match",
    "Matcher",
    "Outcome",
    "Pattern",
    "Progress",
    "Record",
    "Recorder",
    "Silence",
    "State",
    "Status",
    "View",
    "Waited",
    "Where",
    "accepts",
]

_T = TypeVar("_T")


class Recorder(Waits, Evidence):
    """Keeps what arrived, answers questions about it, and waits for what has not arrived yet.

    :param explain: puts a wait that ended without a match into words.
    :param mapping: where the project's logs keep what an event needs, for sources that are given
        none of their own.
    :param formats: the project's own log formats.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        explain: Explain | None = None,
        mapping: FieldMap | None = None,
        formats: Iterable[Format] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = self
        self._explain = explain or brief
        self._clock = clock
        self.mapping = mapping or FieldMap()
        self.formats = tuple(formats)
        self._lock = threading.Lock()
        self._next = 0
        self._log = EventLog()
        self._frames: list[Frame] = []
        self._rejected: list[tuple[int, Rejected]] = []
        self._endings: list[tuple[int, Ending]] = []
        self._exchanges: list[Exchange] = []
        self._emitters = Emitters()
        self._origins: dict[tuple[Channel, str, str | None, str | None], Origin] = {}
        self._streams_open = OpenStreams()
        self._unprinted = Unprinted()
        self._last_at = float("-inf")
        self._waiters = Waiters()

    # Adding: sources call these, from any thread.

    def add_event(
        self,
        event: Event,
        *,
        channel: Channel = "stdout",
        source: str = "",
        stream: str | None = None,
    ) -> Record:
        """Keep one sighting of an event.

        :param source: name of what read it; the name under which a process was attached.
        :param stream: the job id whose SSE stream carried it.
        """
        with self._lock:
            origin = self._origin(channel, source, stream, event.service)
            index = self._next
            self._next = index + 1
            self._last_at = at = self._clock()
            self._log.append(event, origin, index, at)
        self._waiters.ring()
        return Record(event, index, at, channel, source, stream)

    def add_events(
        self,
        events: Iterable[Event],
        *,
        channel: Channel = "stdout",
        source: str = "",
        stream: str | None = None,
    ) -> None:
        """Keep many sightings from one place, at less than the cost of one by one."""
        # Read before locking: an iterable may take its time, or ask this very recorder.
        batch = list(events)
        if not batch:
            return
        with self._lock:
            for service in {event.service for event in batch}:
                origin = self._origin(channel, source, stream, service)
            self._last_at = at = self._clock()
            self._log.extend(batch, origin, self._next, at)
            self._next += len(batch)
        self._waiters.ring()

    def _origin(
        self, channel: Channel, source: str, stream: str | None, service: str | None
    ) -> Origin:
        # One look-up for two purposes: this runs for every captured line.
        origin = self._origins.get((channel, source, stream, service))
        if origin is None:
            origin = Origin(channel, source, stream)
            self._origins[channel, source, stream, service] = origin
            self._emitters.saw(source, service)
        return origin

    def add_frame(
        self,
        type: str,
        data: str = "",
        id: str = "",
        *,
        source: str = "",
        stream: str | None = None,
    ) -> Frame:
        """Keep one SSE frame; a narration frame's event is added beside it by ``add_event``."""
        with self._lock:
            index, at = self._stamp()
            frame = Frame(type, data, id, source, stream, index, at)
            self._frames.append(frame)
            self._streams_open.frame(type, stream, source, at)
        self._waiters.ring()
        return frame

    def add_rejected(self, rejected: Rejected) -> None:
        """Keep a line that could not be read as an event."""
        with self._lock:
            self._rejected.append((self._stamp()[0], rejected))
        self._waiters.ring()

    def add_ending(self, ending: Ending) -> None:
        """Keep how a source ended; its last event has been added before."""
        with self._lock:
            self._endings.append((self._stamp()[0], ending))
            self._emitters.ended(ending.source)
            self._streams_open.ended(ending.source)
            # Whoever speaks from there again is noticed again.
            self._origins = {o: v for o, v in self._origins.items() if v.source != ending.source}
        self._waiters.ring()

    def add_exchange(
        self,
        *,
        source: str,
        method: str,
        url: str,
        status: int,
        request_headers: dict[str, str],
        response_headers: dict[str, str],
    ) -> Exchange:
        """Keep one HTTP call of the test; header names in any case."""
        sent = {name.lower(): value for name, value in request_headers.items()}
        received = {name.lower(): value for name, value in response_headers.items()}
        with self._lock:
            index, at = self._stamp()
            exchange = Exchange(source, method, url, status, sent, received, index, at)
            self._exchanges.append(exchange)
        self._waiters.ring()
        return exchange

    def attach(
        self,
        name: str,
        status: Status,
        last_lines: LastLines | None = None,
        *,
        announces_end: bool = False,
    ) -> None:
        """Watch the process behind a source, so that waits notice its death at once.

        :param status: returns its exit code, ``None`` while it runs. A restarted process is
            attached again under the same name.
        :param last_lines: returns its last so many lines, quoted when it died.
        :param announces_end: whether an ending is added once all of its lines are read; otherwise
            the last of them have a second to come.
        """
        with self._lock:
            self._emitters.attach(name, status, last_lines, announces_end=announces_end)

    # Reading: see Evidence for records, events, frames, …; and Waits for waiting

    def mark(self) -> int:
        """Return a position between what arrived and what will: ``since(mark)`` reads on."""
        with self._lock:
            return self._next

    def values(self, column: str) -> list[str]:
        """Return the values seen of an indexed column, in order of first sight.

        :param column: ``correlation_id``, ``job_id``, ``instance``, ``action`` or ``service``.
        """
        with self._lock:
            return self._log.values(column)

    def count(self, column: str, value: str) -> int:
        """Return how many sightings have the value in an indexed column."""
        with self._lock:
            return self._log.count(column, value)

    # What Evidence and views build on

    def _stamp(self) -> tuple[int, float]:
        index = self._next
        self._next = index + 1
        self._last_at = at = self._clock()
        return index, at

    def _copy(self, kept: list[_T]) -> list[_T]:
        with self._lock:
            return kept.copy()

    def _select(self, where: Where, start: int, stop: int | None) -> list[Record]:
        log = self._log
        with self._lock:
            positions = log.candidates(where, *self._positions(start, stop))
        # Outside the lock: appended columns never change, and conditions may be users' functions.
        found = log.records(where, positions)
        return list(found) if where.is_empty else [r for r in found if where.matches(r)]

    def _concerning(
        self, wheres: Sequence[Where] | None, start: int, stop: int | None
    ) -> Iterator[Record]:
        with self._lock:
            positions = self._log.concerning(wheres, *self._positions(start, stop))
        return map(self._log.record, positions)

    def _positions(self, start: int, stop: int | None) -> tuple[int, int]:
        first = self._log.position(start) if start else 0
        return first, len(self._log) if stop is None else self._log.position(stop)

    def __repr__(self) -> str:
        with self._lock:
            return f"<Recorder: {len(self._log)} events, {len(self._rejected)} rejected lines>"
