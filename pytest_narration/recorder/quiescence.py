"""When is a system done talking: the open jobs of streams and events.

``settle`` asks here instead of sleeping: a job opens with its first sign and closes with its
last; what counts as which is the stream grammar (DESIGN: ``started → … → end | error → done``),
or a predicate of the test for services without streams.
"""

from __future__ import annotations

from collections.abc import Callable

from ..event import Event

__all__ = ["OpenJobs", "OpenStreams"]

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
