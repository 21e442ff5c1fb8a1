"""A job on the next service -> frames on our own stream of it, and how it ended.

What is relayed keeps its bytes, so an event is the same on every stream it passes; ids of frames
are ours. Used by every service that has another one below it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from pytest_narration.emit import Context

from .stream import TERMINAL, JobStream, Upstream

__all__ = ["NOT_BEGUN", "JobFailed", "Relayed", "bug", "cancelled", "relay"]

NOT_BEGUN = frozenset({"WORKER_UNREACHABLE", "OVERLOADED", "UNAVAILABLE"})
"""Codes of errors that say that nothing was computed: the job may be tried elsewhere."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class JobFailed(Exception):
    """A job ends with an ``error`` of ours; :attr:`data` are what its frame says."""

    def __init__(self, code: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.data = {"type": "error", "code": code, "message": message, "retryable": retryable}


class Relayed(NamedTuple):
    """The end of a relay."""

    outcome: dict[str, Any]
    """Data of the ``end`` or ``error`` below; not yet on our stream."""
    frames: int


def cancelled() -> JobFailed:
    """Return the failure of a job that was cancelled before the next service could say so."""
    return JobFailed("CANCELLED", "the job was cancelled", retryable=False)


def bug(service: str) -> JobFailed:
    """Return the failure of a job that met a bug of ours, and print the traceback for people."""
    traceback.print_exc()
    return JobFailed("INTERNAL", f"the {service} failed", retryable=False)


async def relay(
    upstream: Upstream,
    stream: JobStream,
    *,
    context: Context | None,
    on_started: Callable[[str], None],
    on_frame: Callable[[], None] = lambda: None,
) -> Relayed:
    """Relay until the job's end below.

    :param context: what we narrate next in it has the last relayed event as its cause.
    :param on_started: called with the job's id on the next service.
    :raises ProtocolError: the stream below is broken.
    :raises HopError: the connection broke.
    """
    outcome: dict[str, Any] = {}
    last = ""
    frames = 0
    try:
        async for frame in upstream.frames():
            frames += 1
            on_frame()
            if frame.type == "started":
                on_started(str(_decode(frame.data).get("job_id", "")))
            elif frame.type in TERMINAL:
                outcome = _decode(frame.data)
            else:
                last = frame.event_id or last
                stream.send_data(frame.type, frame.data)
    finally:
        if last and context is not None:
            context.trail.follow(last)
    return Relayed(outcome, frames)
