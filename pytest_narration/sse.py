"""Chunks of bytes -> server-sent events: a pure, incremental event-stream decoder.

It follows "Interpreting an event stream" of the WHATWG HTML standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation) to the
letter, whatever the chunks are: a character, a line ending or a BOM may be cut in two. Sources
that read SSE over HTTP use it; it does no input or output itself.

One thing is added, since a test must not eat all memory: a line or an event longer than
``limit`` bytes is dropped whole and reported in :attr:`Decoder.overlong`.
"""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_LIMIT", "Decoder", "Overlong", "ServerSentEvent"]

DEFAULT_LIMIT = 16 * 1024 * 1024
"""Bytes one event may take before it is dropped and reported."""

_HEAD = 200
_BOM = b"\xef\xbb\xbf"
_LARGEST_RETRY = 2**63 - 1


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One dispatched event."""

    type: str
    """The ``event:`` field, ``"message"`` when there was none."""
    data: str
    """The ``data:`` lines, joined by newlines."""
    id: str = ""
    """The last event id when it was dispatched: it persists from event to event."""
    own_id: bool = False
    """Whether the event itself set the id."""


class Overlong(msgspec.Struct, frozen=True):
    """An event that was dropped because it passed the limit."""

    head: bytes
    """The first bytes of its data, or of the line that passed the limit."""
    limit: int

    @property
    def why(self) -> str:
        """The reason in words."""
        return f"server-sent event of more than {self.limit} bytes: dropped"


class Decoder:
    """Turns chunks into events; one instance per response.

    :param last_event_id: the id sent as ``Last-Event-ID`` when the stream was reopened; it stays
        in force until the stream sets another.
    :param limit: the most bytes that one event may take.
    """

    def __init__(self, *, last_event_id: str = "", limit: int = DEFAULT_LIMIT) -> None:
        self.last_event_id = last_event_id
        """Id of the last completed event: what a client sends to resume after it."""
        self.retry: int | None = None
        """Reconnection time in milliseconds, when the stream set one."""
        self.overlong: list[Overlong] = []
        """Events dropped for their length, in order; the reader may clear it."""
        self._limit = limit
        self._id = last_event_id
        self._own_id = False
        self._type = ""
        self._data: list[str] = []
        self._size = 0
        self._line: list[bytes] = []
        self._line_size = 0
        self._after_cr = False
        self._at_start = True
        self._skip_line = False
        self._skip_event = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete."""
        if not chunk:
            return []
        # The LF of a CR LF whose CR ended the previous chunk ends no further line.
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return []
        self._after_cr = chunk[-1:] == b"\r"
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        events: list[ServerSentEvent] = []
        if end:
            complete, chunk = chunk[:end], chunk[end:]
            # bytes.splitlines knows LF, CR and CR LF and, unlike str.splitlines, nothing else.
            for piece in complete.splitlines():
                self._keep(piece)
                self._end_line(events)
        self._keep(chunk)
        return events

    @property
    def held(self) -> int:
        """Bytes of the event and the line that are being collected."""
        return self._size + self._line_size

    def finish(self) -> bool:
        """End the stream: the incomplete event is discarded; return whether there was one."""
        pending = bool(self._line_size or self._data or self._type or self._skip_event)
        self._line, self._line_size, self._skip_line = [], 0, False
        self._reset_event()
        return pending

    def _keep(self, piece: bytes) -> None:
        """Add a piece to the line that is being collected, unless it grows too long."""
        if not piece or self._skip_line:
            return
        self._line.append(piece)
        self._line_size += len(piece)
        if self._size + self._line_size > self._limit:
            head = b"".join(self._line)[:_HEAD]
            self._line, self._line_size, self._skip_line = [], 0, True
            if not head.startswith(b":"):  # a comment may be as long as it likes
                if self._data:
                    head = b"data:" + self._data[0].encode()[:_HEAD]
                self.overlong.append(Overlong(head, self._limit))
                self._data, self._size, self._skip_event = [], 0, True

    def _end_line(self, events: list[ServerSentEvent]) -> None:
        if self._skip_line:
            self._skip_line = self._at_start = False
            return
        line = self._line[0] if len(self._line) == 1 else b"".join(self._line)
        self._line, self._line_size = [], 0
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
        elif line[0] != 0x3A:  # a line that starts with a colon is a comment
            # A line ending is never part of a longer UTF-8 sequence, so decoding line by line
            # replaces the same bytes by U+FFFD as decoding the whole stream.
            name, _, value = line.decode("utf-8", "replace").partition(":")
            self._field(name, value.removeprefix(" "), len(line))

    def _field(self, name: str, value: str, size: int) -> None:
        if name == "data":
            if not self._skip_event:
                self._data.append(value)
                self._size += size
        elif name == "event":
            self._type = value
        elif name == "id":
            if "\0" not in value:
                self._id, self._own_id = value, True
        elif name == "retry" and value.isascii() and value.isdigit():
            digits = value.lstrip("0")
            self.retry = int(digits or "0") if len(digits) < 19 else _LARGEST_RETRY

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        if self._data and not self._skip_event:
            data = "\n".join(self._data)
            events.append(ServerSentEvent(self._type or "message", data, self._id, self._own_id))
        self._reset_event()

    def _reset_event(self) -> None:
        self._type, self._data, self._size, self._skip_event = "", [], 0, False
        self._own_id = False
