"""The bytes of another service's stream -> frames, judged as they come.

Reads what the next service down the line sends: our own dialect of the WHATWG event stream, LF or
CR LF, in any chunking. A byte that does not belong there is a :class:`ProtocolError`, not a guess.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import msgspec

from .frames import TERMINAL

__all__ = ["Frame", "FrameSplitter", "ProtocolError", "Upstream"]

MAX_FRAME_BYTES = 1 << 20

_TYPES = frozenset({"started", "narration", "token", "metrics", "end", "error"})


class ProtocolError(Exception):
    """The other service's stream is not what was agreed."""


class _Narrated(msgspec.Struct):
    event_id: str = ""


class _Envelope(msgspec.Struct):
    type: str
    event: _Narrated | None = None


class Frame(NamedTuple):
    """One frame: its type, its JSON data as sent, and the id of the event that it carries."""

    type: str
    data: bytes
    event_id: str = ""


class FrameSplitter:
    """Cuts a byte stream into frames; knows nothing about their order."""

    def __init__(self) -> None:
        self._rest = b""
        self._decode = msgspec.json.Decoder(_Envelope).decode

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames that this chunk completes; good ones before a bad one.

        :raises ProtocolError: a frame is no JSON object of a known type, or endless.
        """
        data = self._rest + chunk
        if b"\r" in data:
            # A lone CR at the end may be half of a CR LF.
            held = b"\r" if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)].replace(b"\r\n", b"\n") + held
        *blocks, self._rest = data.split(b"\n\n")
        for block in blocks:
            frame = self._frame(block)
            if frame is not None:
                yield frame
        if len(self._rest) > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame is longer than {MAX_FRAME_BYTES} bytes")

    def _frame(self, block: bytes) -> Frame | None:
        data = b"\n".join(
            line[6:] if line.startswith(b"data: ") else line[5:]
            for line in block.split(b"\n")
            if line.startswith(b"data:")
        )
        if not data:
            return None  # a comment, or a frame that only sets an id
        try:
            envelope = self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"a frame's data is not ours: {error}") from error
        if envelope.type not in _TYPES:
            raise ProtocolError(f"a frame of unknown type {envelope.type[:40]!r}")
        event_id = envelope.event.event_id if envelope.event is not None else ""
        return Frame(envelope.type, data, event_id)


class Upstream:
    """Frames of one job on the next service, in order; ends with its ``end`` or ``error``.

    :param chunks: the response's bytes as they arrive.
    """

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.ended = False
        """Whether the terminal frame was seen."""

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield the frames.

        :raises ProtocolError: the stream breaks the grammar, or stops before its end.
        """
        splitter = FrameSplitter()
        started = False
        async for chunk in self._chunks:
            for frame in splitter.feed(chunk):
                if started == (frame.type == "started"):
                    what = "second `started`" if started else f"`{frame.type}` before `started`"
                    raise ProtocolError(f"the stream sent a {what}")
                started = True
                if frame.type in TERMINAL:
                    self.ended = True
                    yield frame
                    return
                yield frame
        raise ProtocolError("the stream stopped before its end or error")
