"""The recorder: an append-only, thread-safe log of everything that sources and tests saw.

Sources add to it from their own threads. Tests, rules, stories and reports read it, and wait on
it, in any number and any order: reading and waiting never consume. What arrived is never changed
or removed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..errors import EmitterDied, PatternFailed, WaitTimeout
from ..event import Channel, Event
from ..wire import Rejected
from .awaiting import (
    Expectation,
    Pattern,
    Progress,
    State,
    Steps,
    Waited,
    Waiters,
    run,
    run_async,
)
from .emitters import Death, Emitters, Silence, Status
from .evidence import Evidence, View
from .log import EventLog
from .quiescence import OpenJobs, OpenStreams
from .records import Ending, Exchange, Frame, Match, Outcome, Record
from .where import Difference, Matcher, Where, accepts

__all__ = [
    "Death",
    "Difference",
    "Ending",
    "Evidence",
    "Exchange",
    "Expectation",
    "Explain",
    "Frame",
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

Explain = Callable[["Recorder", Waited], str]
"""Puts a wait without a match into words; :func:`pytest_narration.explain.waited` is one."""

POLL_SECONDS = 0.05
"""How often a wait asks attached processes whether they still run."""

_BATCH = 4096
"""Records fed to a pattern between two looks at the clock."""


class Recorder(Evidence):
    """Keeps what arrived, answers questions about it, and waits for what has not arrived yet.

    :param explain: puts a wait that ended without a match into words.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        explain: Explain | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = self
        self._explain = explain or brief
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0
        self._log = EventLog()
        self._frames: list[Frame] = []
        self._rejected: list[tuple[int, Rejected]] = []
        self._endings: list[tuple[int, Ending]] = []
        self._exchanges: list[Exchange] = []
        self._emitters = Emitters()
        self._speaking: set[tuple[str, str | None]] = set()
        self._streams_open = OpenStreams()
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
            index, at = self._stamp()
            self._log.append(event, (channel, source, stream), index, at)
            if (source, event.service) not in self._speaking:
                self._speaking.add((source, event.service))
                self._emitters.saw(source, event.service)
        self._waiters.ring()
        return Record(event, index, at, channel, source, stream)

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
            self._speaking = {pair for pair in self._speaking if pair[0] != ending.source}
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

    def attach(self, name: str, status: Status) -> None:
        """Watch the process behind a source, so that waits notice its death at once.

        :param status: returns its exit code, ``None`` while it runs. A restarted process is
            attached again under the same name.
        """
        with self._lock:
            self._emitters.attach(name, status)

    # Reading: see Evidence for records, events, frames, …

    def mark(self) -> int:
        """Return a position between what arrived and what will: ``since(mark)`` reads on."""
        with self._lock:
            return self._next

    def deaths(self) -> list[Death]:
        """Return the attached processes that have ended, with their exit codes."""
        with self._lock:
            return self._emitters.deaths(self._clock())

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

    # Waiting

    def wait_for(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,
        since: int = 0,
        **where: Any,
    ) -> Match:
        """Return what meets the pattern, at once when it already arrived.

        :param pattern: from :mod:`pytest_narration.pattern`, or a function of an event; or
            conditions as keywords, as in :meth:`records`.
        :param timeout: seconds.
        :param since: a :meth:`mark`; what arrived before it does not count.
        :raises WaitTimeout: it did not happen in time.
        :raises PatternFailed: it can no longer happen.
        :raises EmitterDied: only a process that has ended could have brought it.
        """
        __tracebackhide__ = True
        return run(self._await(_pattern(pattern, where), timeout, since), self._waiters)

    async def wait_for_async(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  # the same wait as its synchronous twin
        since: int = 0,
        **where: Any,
    ) -> Match:
        """Like :meth:`wait_for`, while the running loop goes on."""
        __tracebackhide__ = True
        steps = self._await(_pattern(pattern, where), timeout, since)
        return await run_async(steps, self._waiters)

    def match(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        since: int = 0,
        **where: Any,
    ) -> Match | None:
        """Judge what has arrived so far as if it were all: the match, or ``None``."""
        progress = _pattern(pattern, where).start()
        with self._lock:
            position, stop = self._log.position(since), len(self._log)
        while position < stop and progress.state == "open":
            position = self._feed(progress, position, stop)
        progress.finish()
        return Match(progress.records) if progress.state == "met" else None

    def _await(self, pattern: Pattern, timeout: float, since: int) -> Steps[Match]:
        __tracebackhide__ = True
        began = self._clock()
        progress = pattern.start()
        with self._lock:
            position = self._log.position(since)
        while True:
            # Asked before reading: whoever is silent by then has no line that we do not read.
            with self._lock:
                now = self._clock()
                silence = self._emitters.silent(now)
                stop = len(self._log)
            while position < stop and progress.state == "open":
                position = self._feed(progress, position, stop)
                if position < stop:
                    yield 0.0
            progress.tick(now)
            if progress.state == "open" and now >= began + timeout:
                progress.finish()
                if progress.state == "open":
                    raise WaitTimeout(self._told(progress, began, timeout, since))
            if progress.state == "met":
                return Match(progress.records)
            if progress.state == "failed":
                raise PatternFailed(self._told(progress, began, timeout, since))
            if silence and progress.is_hopeless(silence):
                lost = silence.who(where.conditions for where in progress.awaited())
                raise EmitterDied(self._told(progress, began, timeout, since, lost))
            wake_at = min(began + timeout, progress.deadline() or float("inf"))
            yield self._nap(wake_at - now)

    def _feed(self, progress: Progress, start: int, stop: int) -> int:
        """Feed the next batch; return the position after the last record that was fed."""
        stop = min(stop, start + _BATCH)
        record = self._log.record
        for position in range(start, stop):
            progress.feed(record(position))
            if progress.state != "open":
                return position + 1
        return stop

    def _nap(self, seconds: float) -> float:
        seconds = max(seconds, 0.0)
        return min(seconds, POLL_SECONDS) if self._emitters.has_attached else seconds

    def _told(
        self,
        progress: Progress,
        began: float,
        timeout: float,
        since: int,
        lost: Iterable[str] = (),
    ) -> str:
        waited = Waited(
            remaining=progress.remaining(),
            reason=progress.reason(),
            timeout=timeout,
            elapsed=self._clock() - began,
            since=since,
            awaited=tuple(progress.awaited()),
            met=progress.records,
            dead=tuple(self.deaths()),
            lost=tuple(lost),
        )
        return self._explain(self, waited)

    # Quiescence

    def settle(
        self,
        timeout: float = 5.0,
        quiet: float = 0.2,
        *,
        terminal: Callable[[Event], bool] | None = None,
    ) -> None:
        """Wait until the system is done talking: no job open, then a silent window.

        A job is open from its stream's ``started`` frame to ``end``, ``error`` or ``[DONE]``.

        :param quiet: seconds without any arrival, counted after the last one.
        :param terminal: says whether an event is the last of its job; with it, every job id that
            an event carries needs one. For services that have no streams.
        :raises WaitTimeout: a job stays open or lines keep coming.
        :raises EmitterDied: a job is open and every process has ended.
        """
        __tracebackhide__ = True
        run(self._settle(timeout, quiet, terminal), self._waiters)

    async def settle_async(
        self,
        timeout: float = 5.0,  # noqa: ASYNC109  # the same wait as its synchronous twin
        quiet: float = 0.2,
        *,
        terminal: Callable[[Event], bool] | None = None,
    ) -> None:
        """Like :meth:`settle`, while the running loop goes on."""
        __tracebackhide__ = True
        await run_async(self._settle(timeout, quiet, terminal), self._waiters)

    def _settle(
        self, timeout: float, quiet: float, terminal: Callable[[Event], bool] | None
    ) -> Steps[None]:
        __tracebackhide__ = True
        began = self._clock()
        jobs = OpenJobs(terminal)
        position = 0 if terminal else len(self._log)
        while True:
            with self._lock:
                now = self._clock()
                silence = self._emitters.silent(now)
                stop = len(self._log)
                still_since = max(began, self._last_at)
                open_jobs = self._streams_open.describe(now)
            while terminal and position < stop:
                jobs.feed(self._log.record(position).event)
                position += 1
            open_jobs += jobs.describe()
            # Everything above was read after the silent window, so nothing slipped in behind it.
            if not open_jobs and now - still_since >= quiet:
                return
            lost = silence.who([{}]) if open_jobs and silence.covers({}) else []
            if lost or now >= began + timeout:
                reason = "; ".join(open_jobs) or (
                    f"events keep arriving, the last one {now - still_since:.3f} s ago"
                )
                waited = Waited(
                    remaining=f"quiet: no job open, then {quiet:g} s without an arrival",
                    reason=reason,
                    timeout=timeout,
                    elapsed=now - began,
                    since=0,
                    dead=tuple(self.deaths()),
                    lost=tuple(lost),
                )
                failure = EmitterDied if lost else WaitTimeout
                raise failure(self._explain(self, waited))
            rest = began + timeout - now
            yield self._nap(rest if open_jobs else min(rest, still_since + quiet - now))

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
            first = log.position(start) if start else 0
            last = len(log) if stop is None else log.position(stop)
            positions = log.candidates(where, first, last)
        # Outside the lock: appended columns never change, and conditions may be users' functions.
        found = map(log.record, positions)
        return list(found) if where.is_empty else [r for r in found if where.matches(r)]

    def __repr__(self) -> str:
        with self._lock:
            return f"<Recorder: {len(self._log)} events, {len(self._rejected)} rejected lines>"


def brief(recorder: Recorder, waited: Waited) -> str:
    """Say in one line what was awaited; the default where nothing better was passed."""
    why = waited.reason or f"not met within {waited.timeout:g} s"
    dead = "".join(f"; {d.name} ended with exit code {d.exit_code}" for d in waited.dead)
    return f"{waited.remaining}: {why} ({recorder!r}{dead})"


def _pattern(pattern: Pattern | Callable[[Event], bool] | None, where: dict[str, Any]) -> Pattern:
    if pattern is None:
        return Expectation(Where(where))
    if where:
        raise TypeError("pass a pattern or keyword conditions, not both")
    if hasattr(pattern, "start"):
        return pattern
    return Expectation(Where(predicate=pattern))
