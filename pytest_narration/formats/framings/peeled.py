"""What is left of a line, and what its frame said, once a framing is taken off."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Peeled"]


class Peeled(msgspec.Struct, frozen=True, kw_only=True):
    """The inner line and the frame's own knowledge."""

    inner: bytes
    stream: str = ""
    """Which of the interleaved streams it belongs to: a container, stdout or stderr."""
    service: str | None = None
    instance: str | None = None
    timestamp: str | None = None
    level: str | None = None
    is_fragment: bool = False
    """Whether the next line of the same stream continues this one."""
    is_message: bool = False
    """Whether plain text inside is a message by itself, as in syslog, not a broken record."""
    is_line: bool = False
    """Whether such text may also be part of a stack trace, line by line."""
    fields: dict[str, Any] = {}
    """More that the frame said, for a plain message's ``extra``."""
