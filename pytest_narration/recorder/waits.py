"""The waiting side of a recorder: for a pattern, for one event, for quiescence.

Mixed into :class:`~pytest_narration.recorder.Recorder`, whose log it follows with a position of its
own per wait: each record is matched once by each wait, and none is taken from another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import EmitterDied, PatternFailed, WaitTimeout
from ..event import Channel, Event
from .awaiting import Steps, Waiters, run, run_async
from .emitters import Death, Emitters
from .expectation import Absence, Pattern, Progress, Waited, expectation
from .log import EventLog
from .quiescence import OpenJobs, OpenStreams, Unprinted
from .records import IN_PROCESS, Match, Origin

if TYPE_CHECKING:
    from . import Recorder

__all__ = ["Explain", "Waits", "brief"]

Explain = Callable[["Recorder", Waited], str]
"""Puts a wait without a match into words; :func:`pytest_narration.explain.waited` is one."""

POLL_SECONDS = 0.05
"""How often a wait asks attached processes whether they still run."""

LATE_SECONDS = 1.0
"""How long a line may be on its way that a stream has shown already."""

KEPT_SECONDS = 0.1
"""How late a thread is at least that was kept from running; less is ordinary."""

BATCH = 4096
"""Records fed to a pattern between two looks at the clock."""


class Waits:
    """``wait_for`` and ``settle``, for threads and for tasks."""

    _clock: Callable[[], float]
    _emitters: Emitters
    _explain: Explain
    _last_at: float
    _lock: threading.Lock
    _log: EventLog
    _origins: Mapping[tuple[Channel, str, str | None, str | None], Origin]
    _recorder: Recorder
    _streams_open: OpenStreams
    _unprinted: Unprinted
    _waiters: Waiters

    def deaths(self) -> list[Death]:
        """Return the attached processes that have ended, with their exit codes."""
        with self._lock:
            return self._emitters.deaths(self._clock())

    def can_grow(self) -> bool:
        """Say whether a source may bring more: a process that runs, a stream that did not end."""
        with self._lock:
            return self._emitters.silent(self._clock()).is_broken_by({}, without={IN_PROCESS})

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
        return run(self._await(expectation(pattern, where), timeout, since), self._waiters)

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
        steps = self._await(expectation(pattern, where), timeout, since)
        return await run_async(steps, self._waiters)

    def never(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        during: float = 0.0,
        since: int = 0,
        **where: Any,
    ) -> None:
        """Raise when it came, or comes in the next ``during`` seconds.

        After :meth:`settle` nothing more is to come, so that ``during`` can stay 0.

        :raises PatternFailed: it came.
        """
        __tracebackhide__ = True
        absence = Absence(expectation(pattern, where))
        run(self._await(absence, during, since), self._waiters)

    async def never_async(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        during: float = 0.0,
        since: int = 0,
        **where: Any,
    ) -> None:
        """Like :meth:`never`, while the running loop goes on."""
        __tracebackhide__ = True
        absence = Absence(expectation(pattern, where))
        await run_async(self._await(absence, during, since), self._waiters)

    def _await(self, pattern: Pattern, timeout: float, since: int) -> Steps[Match]:
        __tracebackhide__ = True
        began = self._clock()
        progress = pattern.start()
        last: tuple[float, int] | None = None
        with self._lock:
            position = self._log.position(since)
        while True:
            # Asked before reading: whoever is silent by then has no line that we do not read.
            with self._lock:
                now = self._clock()
                silence = self._emitters.silent(now)
                stop = len(self._log)
            if now >= began + timeout:
                # What arrives from here on is too late, or a fast source would keep us for ever.
                now, stop = last = last or (now, stop)
            position = self._feed(progress, position, stop)
            if position < stop and progress.state == "open":
                # Comes back to the top: a nap now would sleep through what arrived meanwhile.
                yield 0.0
                continue
            progress.tick(now)
            if last is not None and progress.state == "open":
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
        """Feed the next batch; return the position from which the next one goes on."""
        with self._lock:
            positions = self._log.concerning(progress.concerns(), start, stop)
        record = self._log.record
        for position in positions[:BATCH]:
            progress.feed(record(position))
            if progress.state != "open":
                return position + 1
        return positions[BATCH] if len(positions) > BATCH else stop

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
        return self._explain(self._recorder, waited)

    def settle(
        self,
        timeout: float = 5.0,
        quiet: float = 0.2,
        *,
        terminal: Callable[[Event], bool] | None = None,
    ) -> None:
        """Wait until the system is done talking: no job open, then a silent window.

        A job is open from its stream's ``started`` frame to ``end``, ``error`` or ``[DONE]``. An
        event that a stream has shown has a second to be printed by its service, where the service's
        output is read. When this thread was kept from looking, and the sources' threads perhaps
        from reading, one more silent window follows.

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
        began = looked = self._clock()
        nap, looks_again_at, looked_again = 0.0, began, float("nan")
        has_been_still = False
        jobs = OpenJobs(terminal)
        position = 0 if terminal else len(self._log)
        while True:
            with self._lock:
                now = self._clock()
                silence = self._emitters.silent(now)
                stop = len(self._log)
                last_at = self._last_at
                open_jobs = self._streams_open.describe(now)
            was_kept = now - looked > nap + max(quiet / 2, KEPT_SECONDS)
            looked = now
            while terminal and position < stop:
                jobs.feed(self._log.record(position).event)
                position += 1
            open_jobs += jobs.describe()
            if quiet > 0 and self._unprinted.take(self._log.record, stop, BATCH):
                # Comes back to the top, so that an asyncio loop gets its turn between batches.
                yield (nap := 0.0)
                continue
            still_at = max(began, last_at) + quiet
            # Everything above was read after the silent window, so nothing slipped in behind it.
            if not open_jobs and now >= still_at:
                has_been_still = True
                if was_kept and looked_again != last_at:
                    # Once in each silence: a thread that is always late must come to an end too.
                    looked_again, looks_again_at = last_at, now + quiet
                still_at = max(looks_again_at, self._printed_at(now) if quiet > 0 else now)
                if now >= still_at:
                    return
            is_over = now >= began + timeout
            if is_over and has_been_still:
                return
            lost = silence.who([{}]) if open_jobs and silence.covers({}) else []
            if lost or is_over:
                reason = "; ".join(open_jobs) or (
                    f"events keep arriving, the last one {now - last_at:.3f} s ago"
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
                raise failure(self._explain(self._recorder, waited))
            rest = began + timeout - now
            nap = self._nap(rest if open_jobs else min(rest, still_at - now))
            yield nap

    def _printed_at(self, now: float) -> float:
        """Return when all has been printed that streams have shown, at the latest."""
        with self._lock:
            read = {
                service
                for channel, source, _, service in self._origins
                if channel == "stdout" and source != IN_PROCESS
            }
        return self._unprinted.shown_at(read, since=now - LATE_SECONDS) + LATE_SECONDS


def brief(recorder: Recorder, waited: Waited) -> str:
    """Say in one line what was awaited; the default where nothing better was passed."""
    why = waited.reason or f"not met within {waited.timeout:g} s"
    dead = "".join(f"; {d.name} ended with exit code {d.exit_code}" for d in waited.dead)
    return f"{waited.remaining}: {why} ({recorder!r}{dead})"
