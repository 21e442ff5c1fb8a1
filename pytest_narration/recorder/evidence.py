"""The read side of a recorder: everything a rule, a story or a report may ask.

:class:`Evidence` is what they are written against; the recorder is one (everything so far) and a
:class:`View` is one (a part of it). Reading never consumes, so the order of questions is free.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..event import Event
from ..wire import Rejected
from .expectation import Pattern, expectation
from .records import Ending, Exchange, Frame, Match, Record
from .where import Where, accepts

if TYPE_CHECKING:
    from . import Recorder

__all__ = ["Evidence", "View"]

_T = TypeVar("_T")
_CORRELATION_HEADERS = ("x-correlation-id", "x-request-id")


class Evidence:
    """Queries over a span of a recorder, optionally of one correlation id."""

    _recorder: Recorder
    _start: int = 0
    _stop: int | None = None
    _correlation_id: str | None = None

    def records(self, **where: Any) -> list[Record]:
        """Return the sightings that meet ``where``, in arrival order.

        Names are the columns of :class:`~pytest_narration.event.Event`, extra fields, and
        ``channel``, ``source``, ``stream``; see :func:`~pytest_narration.recorder.accepts`.
        """
        if self._correlation_id is not None:
            asked = where.get("correlation_id", self._correlation_id)
            if not accepts(asked, self._correlation_id):
                return []
            where["correlation_id"] = self._correlation_id
        return self._recorder._select(Where(where), self._start, self._stop)

    def events(self, **where: Any) -> list[Event]:
        """Return the events that meet ``where``, in order of first sight, each id once."""
        seen: set[str] = set()
        events: list[Event] = []
        for record in self.records(**where):
            event_id = record.event.event_id
            if event_id is not None:
                if event_id in seen:
                    continue
                seen.add(event_id)
            events.append(record.event)
        return events

    def frames(self, stream: str | None = None) -> list[Frame]:
        """Return the SSE frames, all or of one job's stream, in arrival order."""
        frames = self._span(self._recorder._frames, lambda frame: frame.index)
        if self._correlation_id is not None:
            own = self._streams()
            frames = [frame for frame in frames if frame.stream in own]
        return frames if stream is None else [f for f in frames if f.stream == stream]

    @property
    def rejected(self) -> list[Rejected]:
        """Lines that are no events; no correlation id is known of them, so views show all."""
        kept = self._span(self._recorder._rejected, lambda entry: entry[0])
        return [rejected for _, rejected in kept]

    @property
    def recorder(self) -> Recorder:
        """Everything that was recorded, of which this may be a part."""
        return self._recorder

    @property
    def endings(self) -> list[Ending]:
        """How sources ended, each by its last word: one that was read again counts by that.

        Only what ended within the span: that an earlier test closed its stream in the middle
        says nothing about this one's.
        """
        kept = self._span(self._recorder._endings, lambda entry: entry[0])
        return list({ending.source: ending for _, ending in kept}.values())

    @property
    def exchanges(self) -> list[Exchange]:
        """HTTP calls of the test, in order."""
        exchanges = self._span(self._recorder._exchanges, lambda exchange: exchange.index)
        if self._correlation_id is None:
            return exchanges
        return [e for e in exchanges if self._correlation_id in _correlations(e)]

    def match(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        **where: Any,
    ) -> Match | None:
        """Judge what arrived so far as if it were all: what meets the pattern, or ``None``.

        :param pattern: as for :meth:`~pytest_narration.recorder.Recorder.wait_for`.
        """
        progress = expectation(pattern, where).start()
        if self._correlation_id is None:
            records = self._recorder._concerning(progress.concerns(), self._start, self._stop)
        else:
            records = iter(self.records())
        for record in records:
            progress.feed(record)
            if progress.state != "open":
                break
        progress.finish()
        return Match(progress.records) if progress.state == "met" else None

    def since(self, mark: int) -> View:
        """Return a view of what arrived at or after the mark, growing with the recorder."""
        return View(self._recorder, max(mark, self._start), self._stop, self._correlation_id)

    def until(self, mark: int) -> View:
        """Return a view of what arrived before the mark."""
        stop = mark if self._stop is None else min(mark, self._stop)
        return View(self._recorder, self._start, stop, self._correlation_id)

    def for_correlation(self, correlation_id: str) -> View:
        """Return a view of one request: its events, streams and HTTP calls."""
        return View(self._recorder, self._start, self._stop, correlation_id)

    def _span(self, kept: list[_T], index: Callable[[_T], int]) -> list[_T]:
        copy = self._recorder._copy(kept)
        start = bisect_left(copy, self._start, key=index)
        stop = len(copy) if self._stop is None else bisect_left(copy, self._stop, key=index)
        return copy[start:stop]

    def _streams(self) -> set[str]:
        records = self.records()
        jobs = {r.event.job_id for r in records} | {r.stream for r in records}
        return {job for job in jobs if job is not None}


class View(Evidence):
    """A part of a recorder; reads like the recorder itself."""

    def __init__(
        self,
        recorder: Recorder,
        start: int = 0,
        stop: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self._recorder = recorder
        self._start = start
        self._stop = stop
        self._correlation_id = correlation_id

    def __repr__(self) -> str:
        span = f"{self._start}:{'' if self._stop is None else self._stop}"
        of = "" if self._correlation_id is None else f", correlation_id={self._correlation_id!r}"
        return f"View({span}{of})"


def _correlations(exchange: Exchange) -> set[str]:
    sides = (exchange.request_headers, exchange.response_headers)
    return {side[name] for side in sides for name in _CORRELATION_HEADERS if name in side}
