"""SSE frames -> one :class:`Reading` for each reader of each stream.

The rules about streams stand on it. Two readers of one stream, such as before and after a
reconnect under another name, are two readings: what one of them saw, the other need not see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .evidence import Frame

__all__ = ["DONE", "ENDS", "Reading", "kind", "readings"]

DONE = "[DONE]"
"""The job server's last word, whatever the frame's type."""
ENDS = ("end", "error")
"""Frame types that end a job."""


@dataclass(slots=True)
class Reading:
    """What one reader saw of one stream, in order."""

    source: str
    stream: str | None
    frames: list[Frame] = field(default_factory=list)

    @property
    def starts(self) -> list[Frame]:
        """Frames that say that the job started."""
        return [frame for frame in self.frames if kind(frame) == "started"]

    @property
    def ends(self) -> list[Frame]:
        """Frames that say that the job ended."""
        return [frame for frame in self.frames if kind(frame) in ENDS]


def kind(frame: Frame) -> str:
    """Return what a frame is: its type, or ``[DONE]``."""
    return DONE if frame.data == DONE or frame.type == "done" else frame.type


def readings(frames: Iterable[Frame]) -> list[Reading]:
    """Return the readings in order of their first frame."""
    found: dict[tuple[str, str | None], Reading] = {}
    for frame in frames:
        key = (frame.source, frame.stream)
        if key not in found:
            found[key] = Reading(*key)
        found[key].frames.append(frame)
    return list(found.values())
