"""Type, id and JSON data -> the bytes of one event-stream frame (WHATWG HTML, section 9.2)."""

from __future__ import annotations

__all__ = ["DONE", "KEEP_ALIVE", "TERMINAL", "encode_frame", "narration_data"]

TERMINAL = frozenset({"end", "error"})
"""Types that end a job's stream; exactly one of them does."""

DONE = b"[DONE]"
"""The data of the frame after which a client may close."""

KEEP_ALIVE = b": keep-alive\n\n"


def encode_frame(type: str, data: bytes, id: int | None = None) -> bytes:
    """Return the frame; without a type it is a plain ``message``, without an id it moves none."""
    event = b"event: %b\n" % type.encode("ascii") if type else b""
    ident = b"id: %d\n" % id if id is not None else b""
    if b"\n" in data or b"\r" in data:
        # Data of another service's making: every kind of line end would end the field.
        data = b"\ndata: ".join(data.splitlines())
    return b"%b%bdata: %b\n\n" % (event, ident, data)


def narration_data(line: bytes) -> bytes:
    """Wrap one event's JSON line as the data of a ``narration`` frame."""
    return b'{"type":"narration","event":%b}' % line
