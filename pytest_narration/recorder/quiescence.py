"""When is a system done talking: the open jobs of streams and events.

``settle`` asks here instead of sleeping: a job opens with its first sign and closes with its
last; what counts as which is the stream grammar (DESIGN: ``started → … → end | error → done``),
or a predicate of the test for services without streams.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from ..event import Event
from .records import Record

__all__ = ["OpenJobs", "OpenStreams", "Unprinted"]

_LAST = frozenset({"end", "error", "done"})


class OpenStreams:
    """Job ids whose SSE stream has started and not ended, by the frames that came."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, float]] = {}

    def frame(self, type: str, stream: str | None, source: str, at: float) -> None:
        """Take the next frame."""
        if stream is None:
            return
        if type == "started":
            self._open.setdefault(stream, (source, at))
        elif type in _LAST:
            self._open.pop(stream, None)

    def ended(self, source: str) -> None:
        """Take note that nothing more comes from a source: its streams are closed."""
        self._open = {job: entry for job, entry in self._open.items() if entry[0] != source}

    def describe(self, now: float) -> list[str]:
        """Return one phrase for each open stream, the oldest first."""
        return [
            f"job {job} on {source or 'a stream'} started {now - at:.1f} s ago"
            " and sent neither end, error nor [DONE]"
            for job, (source, at) in self._open.items()
        ]


class OpenJobs:
    """Job ids seen on events without a terminal event."""

    def __init__(self, is_terminal: Callable[[Event], bool] | None) -> None:
        self._is_terminal = is_terminal
        self._open: dict[str, Event] = {}
        self._closed: set[str] = set()

    def feed(self, event: Event) -> None:
        """Take the next event."""
        job = event.job_id
        if self._is_terminal is None or job is None or job in self._closed:
            return
        if self._is_terminal(event):
            self._open.pop(job, None)
            self._closed.add(job)
        else:
            self._open[job] = event

    def describe(self) -> list[str]:
        """Return one phrase for each open job, by its first event."""
        return [
            f"job {job} of {event.service or 'an unnamed service'} has no terminal event;"
            f" its last is {event.actor} {event.action}"
            for job, event in self._open.items()
        ]


class Unprinted:
    """Events that a stream has shown and that no output has: on their way, or lost.

    Fed with each sighting once, by whoever settles. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position = 0
        self._printed: set[str] = set()
        self._shown: dict[str, tuple[str | None, float]] = {}

    def take(self, record: Callable[[int], Record], stop: int, most: int) -> bool:
        """Take the next sightings before ``stop``, so many at most; say whether more are left.

        :param record: returns the sighting at a position.
        """
        with self._lock:
            end = min(stop, self._position + most)
            for sighting in map(record, range(self._position, end)):
                event_id = sighting.event.event_id
                if event_id is None:
                    continue
                if sighting.channel == "stdout":
                    self._printed.add(event_id)
                    self._shown.pop(event_id, None)
                elif event_id not in self._printed:
                    self._shown.setdefault(event_id, (sighting.event.service, sighting.at))
            self._position = max(self._position, end)
            return end < stop

    def shown_at(self, services: Collection[str | None], *, since: float) -> float:
        """Return when the latest of these services' events was shown, ``-inf`` without one.

        :param since: what was shown before is forgotten: it was awaited long enough.
        """
        with self._lock:
            self._shown = {e: shown for e, shown in self._shown.items() if shown[1] > since}
            awaited = (at for service, at in self._shown.values() if service in services)
            return max(awaited, default=float("-inf"))
