"""What a recorder keeps: frozen records of everything that sources and tests saw.

Sources make them through :class:`~pytest_narration.recorder.Recorder`; rules, patterns, stories
and reports read them. ``index`` is one counter over all kinds, so the arrival order between an
event, a frame and an HTTP call is known; ``at`` is the recorder's clock in seconds (monotonic).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from ..event import Channel, Event

__all__ = ["IN_PROCESS", "Ending", "Exchange", "Frame", "Match", "Origin", "Outcome", "Record"]

IN_PROCESS = "in-process"
"""Source name of what this very process narrates: seen as it is made, so no line can get lost."""

Outcome = Literal["complete", "cut off", "unreachable"]
"""How a source ended; anything but ``complete`` makes a check of it inconclusive."""


class Origin(NamedTuple):
    """Where a sighting was made; few distinct ones, so they are shared."""

    channel: Channel
    source: str
    stream: str | None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One sighting of an event: the same event on stdout and on SSE makes two records."""

    event: Event
    index: int
    """Arrival order, over everything that the recorder keeps."""
    at: float
    """When it arrived."""
    channel: Channel = "stdout"
    source: str = ""
    """Name of the source that read it: a service, a file, a client."""
    stream: str | None = None
    """The job id whose SSE stream carried it."""


class Frame(msgspec.Struct, frozen=True):
    """One frame of a job's SSE stream, narration and ``[DONE]`` included."""

    type: str
    """``started``, ``narration``, ``token``, ``metrics``, ``end``, ``error``, ``done``, …"""
    data: str
    id: str
    source: str
    stream: str | None
    """The job id that the stream belongs to."""
    index: int
    at: float


class Ending(msgspec.Struct, frozen=True):
    """How a source ended; nothing comes from it afterwards."""

    source: str
    outcome: Outcome
    detail: str = ""


class Exchange(msgspec.Struct, frozen=True):
    """One HTTP call made by the test, for rules about what responses carry."""

    source: str
    """Name of the client."""
    method: str
    url: str
    status: int
    request_headers: dict[str, str]
    """Lower-case names."""
    response_headers: dict[str, str]
    """Lower-case names."""
    index: int
    at: float


class Match(msgspec.Struct, frozen=True):
    """What met a pattern, in the order in which it was found; empty for an absence that held."""

    records: tuple[Record, ...] = ()

    @property
    def events(self) -> list[Event]:
        """The events of :attr:`records`."""
        return [record.event for record in self.records]

    @property
    def record(self) -> Record:
        """The record that completed the match.

        :raises LookupError: the pattern was an absence, which no record meets.
        """
        if not self.records:
            raise LookupError("the pattern was met by an absence: no record belongs to it")
        return self.records[-1]

    @property
    def event(self) -> Event:
        """The event that completed the match; see :attr:`record`."""
        return self.record.event
