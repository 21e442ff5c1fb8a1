"""A line that belongs to the event before it: part of a stack trace, or of a cut line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..event import Event
from ..wire import Rejected

__all__ = ["MOST_LINES", "Batch", "Continuation", "flat"]

MOST_LINES = 1000
"""Lines that one event takes; a program that prints text for ever must not fill an event."""


class Continuation(msgspec.Struct, frozen=True):
    """A line that is no event of its own."""

    line: bytes
    event: Event | None = None
    """The event that it continues; ``None`` for a blank line before any event, and for a fragment
    whose rest is still to come."""

    def attach(self) -> None:
        """Add the line to ``extra["continuation"]`` of the event, a list of lines.

        An event is passed on at once, not when the next one proves it complete: a test may be
        waiting for it. This list is therefore the one thing about an event that grows later.
        """
        if self.event is not None and self.line:
            lines = self.event.extra.setdefault("continuation", [])
            lines.append(self.line.decode("utf-8", "replace"))


class Batch(msgspec.Struct, frozen=True):
    """What became of a line that holds several records, such as an OTLP export."""

    events: tuple[Event | Rejected | Continuation | Batch, ...]
    """Events nearly always."""


def flat(
    decoded: Iterable[Event | Rejected | Continuation | Batch],
) -> Iterator[Event | Rejected | Continuation]:
    """Yield what is in the batches in their place."""
    for item in decoded:
        if isinstance(item, Batch):
            yield from flat(item.events)
        else:
            yield item
