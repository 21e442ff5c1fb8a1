"""What rules may ask: the read side of a recorder, and a catalog's points where there is one.

A :class:`~pytest_narration.recorder.Recorder` and its views meet :class:`Evidence` as they are;
so does anything else that reads the same, such as events loaded from a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..event import Event
from ..recorder.records import Ending, Exchange, Frame, Record
from ..wire import Rejected

__all__ = ["Ending", "Evidence", "Exchange", "Frame", "PointLike", "Record"]


class Evidence(Protocol):
    """Everything that was seen, or a part of it. Reading never consumes."""

    def records(self, **where: Any) -> list[Record]:
        """Return sightings in arrival order; the same event on two channels is two of them."""

    def events(self, **where: Any) -> list[Event]:
        """Return events in order of first sight, each id once."""

    def frames(self, stream: str | None = None) -> list[Frame]:
        """Return SSE frames in arrival order."""

    @property
    def rejected(self) -> list[Rejected]:
        """Return the lines that could not be read as events."""

    @property
    def endings(self) -> list[Ending]:
        """Return how sources ended so far."""

    @property
    def exchanges(self) -> list[Exchange]:
        """Return the HTTP calls that the test made."""


class PointLike(Protocol):
    """A declared point, as far as rules look at it."""

    @property
    def service(self) -> str:
        """Return the service that narrates it."""

    @property
    def actor(self) -> str:
        """Return its actor."""

    @property
    def action(self) -> str:
        """Return its action."""

    @property
    def human(self) -> str:
        """Return its template."""

    @property
    def channels(self) -> Sequence[str]:
        """Return where it may be seen: ``("stdout",)`` or ``("stdout", "sse")``."""
