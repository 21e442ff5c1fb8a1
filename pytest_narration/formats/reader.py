"""One stream of bytes or lines -> events, rejected lines and continuations.

A reader belongs to one stream: it takes off framings, finds out the format from the records
themselves, attaches stack traces, rejoins fragments and records that were printed over several
lines, and never raises on any input.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

from .. import wire
from ..event import Event
from ..wire import Rejected
from .continuation import MOST_LINES, Batch, Continuation
from .document import Document
from .field_map import FieldMap
from .format import Format
from .framings import Peeled, peel, without_colours
from .loose_json import NotJson, read_json
from .registry import formats, named
from .traces import begins_trace, continues, is_go_frame

__all__ = ["Decoded", "Reader"]

Decoded = Event | Rejected | Continuation | Batch
"""What becomes of one line."""

MOST_BYTES = 16 * 1024 * 1024
"""Longest line that is collected; the rest of a longer one is skipped and reported."""

_MOST_LAYERS = 5
_MOST_STREAMS = 4096
_MOST_SIGNATURES = 1024
_MOST_KEYS = 200
_SHOWN = 2048
"""Bytes kept of a rejected line that was too long to keep."""


class _Stream:
    """State of one of the streams that are interleaved in what a reader reads."""

    __slots__ = ("broken", "document", "fragment", "fragment_size", "in_trace", "last", "taken")

    def __init__(self) -> None:
        self.document: Document | None = None
        """The JSON value of many lines that is being printed."""
        self.last: Event | None = None
        self.broken = False
        """Whether the last line was rejected: what is indented below it is no event's."""
        self.in_trace = False
        self.taken = 0
        self.fragment: list[bytes] = []
        self.fragment_size = 0


class Reader:
    """Reads one stream.

    :param name: a format's name, or ``"auto"`` to tell each record's format by its fields.
    :param fields: where this project keeps what an event needs.
    :param source: name of the source, for rejected lines.
    :param service: service of events whose record and framing name none.
    :param own: formats of the project, beside those that are registered.
    """

    def __init__(
        self,
        name: str = "auto",
        fields: FieldMap | None = None,
        *,
        source: str = "",
        service: str | None = None,
        own: tuple[Format, ...] = (),
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.source = source
        self._service = service
        self._fields = fields or FieldMap()
        self._fixed = None if name == "auto" else named(name, own)
        self._formats = [self._fixed] if self._fixed else list(formats(own).values())
        self._text = [fmt for fmt in self._formats if not fmt.is_json]
        self._json = [fmt for fmt in self._formats if fmt.is_json]
        self._by_keys: dict[tuple[str, ...], Format] = {}
        self._last_format: Format | None = None
        # Lines of the package's own wire are read in one step while the stream brings nothing
        # else: it is the most common format, and the one with the highest rates.
        self._own = not self._fields and any(fmt.name == "narration" for fmt in self._formats)
        self._is_own_read_fast = self._own
        self._top = _Stream()
        self._streams: dict[str, _Stream] = {"": self._top}
        self._most_bytes = most_bytes
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._skipping = 0
        self._is_fed = False
        """Whether lines follow each other, so that a record may go on in the next one."""
        self.offset = 0
        """Bytes read up to the current line."""

    @property
    def format(self) -> str | None:
        """Name of the format of the last record that was read."""
        return self._last_format.name if self._last_format else None

    def feed(self, chunk: bytes) -> list[Decoded]:
        """Take the next bytes of the stream and return what became of each completed line."""
        self._is_fed = True
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._keep(chunk)
            return []
        lines = chunk[:end].split(b"\n")
        lines.pop()  # what follows the last newline
        decoded: list[Decoded] = []
        if self._pending or self._skipping:
            first = lines.pop(0)
            if self._skipping:
                decoded.append(self._too_long(first))
            else:
                self._pending.append(first)
                line = b"".join(self._pending)
                self._pending, self._pending_size = [], 0
                decoded.append(self.decode(line))
                self.offset += len(line) + 1
        for line in lines:
            decoded.append(self.decode(line))
            self.offset += len(line) + 1
        self._keep(chunk[end:])
        return decoded

    def finish(self) -> list[Decoded]:
        """End the stream: read what has no newline after it, and fragments without a rest."""
        decoded: list[Decoded] = []
        if self._skipping:
            decoded.append(self._too_long(b""))
        elif self._pending:
            line = b"".join(self._pending)
            self._pending, self._pending_size = [], 0
            decoded.append(_cut_off(self.decode(line)))
            self.offset += len(line)
        for stream in self._streams.values():
            if stream.fragment:
                line = b"".join(stream.fragment)
                stream.fragment, stream.fragment_size = [], 0
                decoded.append(_cut_off(self._read(line, stream, [])))
            if stream.document is not None:
                decoded.append(_cut_off(self._unfinished(stream, stream.document)))
        return decoded

    def decode(self, line: bytes) -> Decoded:
        """Read one line, with or without its newline. Never raises on any input."""
        if self._own and line[:1] == b"{" and self._last_format in _OWN_OR_NONE:
            event = wire.decode(line)
            if isinstance(event, Event) and event.event_id is not None and event.human:
                stream = self._top
                stream.last, stream.in_trace, stream.broken, stream.taken = event, False, False, 0
                self._last_format = _OWN
                return event
        line = line.rstrip(b"\r\n")
        try:
            return self._decode(line)
        except Exception as error:  # formats of other distributions may fail in any way
            return self._rejected(line, f"the reader failed: {type(error).__name__}: {error}")

    def _decode(self, line: bytes) -> Decoded:
        whole, frames = line, []
        line = without_colours(line.strip(b"\0\x1e"))
        key = ""
        for _ in range(_MOST_LAYERS):
            frame = peel(line)
            if frame is None:
                break
            frames.append(frame)
            line = without_colours(frame.inner)
            key = f"{key}/{frame.stream}" if frame.stream else key
        stream = self._stream(key)
        if any(frame.is_fragment for frame in frames):
            return self._keep_fragment(line, stream)
        if stream.fragment:
            line = b"".join((*stream.fragment, line))
            stream.fragment, stream.fragment_size = [], 0
            whole = line
        return self._read(line, stream, frames, whole)

    def _read(
        self, line: bytes, stream: _Stream, frames: list[Peeled], whole: bytes | None = None
    ) -> Decoded:
        whole = line if whole is None else whole
        if stream.document is not None:
            return self._within(stream.document, line, stream, frames, whole)
        stripped = line.strip()
        if not stripped:
            return Continuation(line, stream.last if stream.in_trace else None)
        if stripped[:1] in b"{[" or stripped[:3] == b"\xef\xbb\xbf":
            value = read_json(stripped)
            if isinstance(value, dict):
                return self._record(value, stream, frames, whole)
            if _is_list_of_records(value):
                return self._list(value, stream, frames, whole)
            why = value.why if isinstance(value, NotJson) else f"JSON {_kind(value)}, not an object"
            if self._is_fed and Document.begins(line.rstrip()):
                stream.document = Document(stripped, self.offset, self._most_bytes, _SHOWN)
                self._own = False
                return Continuation(line)
            if stripped in (b"{", b"["):
                why = "JSON over several lines, and only one is here"
            if stripped[:1] == b"{" or len(stripped) == 1:
                return self._break(whole, why, stream)
        else:
            why = "not a structured record of any known format"
        text = line.decode("utf-8", "replace")
        for fmt in self._text:
            record = fmt.parse(text)
            if record is not None and fmt.score(record) > 0:
                return self._event(fmt, record, stream, frames, whole)
        if any(frame.is_message for frame in frames) and not self._goes_on(text, stream, frames):
            return self._done(self._message(text, frames), stream, frames)
        return self._continuation(line, text, stream, whole, why)

    def _within(
        self,
        document: Document,
        line: bytes,
        stream: _Stream,
        frames: list[Peeled],
        whole: bytes,
    ) -> Decoded:
        """Read a line after the first of a JSON value that was printed over many."""
        if not document.takes(line):
            unfinished = self._unfinished(stream, document)
            return Batch((unfinished, self._read(line, stream, frames, whole)))
        if not document.is_end(line):
            return Continuation(line)
        if document.is_too_long:
            return self._unfinished(stream, document)
        self._leave(stream)
        value = read_json(document.text)
        if isinstance(value, dict):
            return self._record(value, stream, frames, document.text)
        if _is_list_of_records(value):
            return self._list(value, stream, frames, document.text)
        why = value.why if isinstance(value, NotJson) else f"JSON {_kind(value)}, not an object"
        stream.broken, stream.in_trace = True, False
        return Rejected(document.text[:_SHOWN], why, self.source, document.offset)

    def _unfinished(self, stream: _Stream, document: Document) -> Rejected:
        self._leave(stream)
        stream.broken, stream.in_trace = True, False
        why = "JSON over several lines that does not end"
        if document.is_too_long:
            why = (
                f"JSON over several lines of {document.size} bytes; the most is {self._most_bytes}"
            )
        return Rejected(document.text[:_SHOWN], why, self.source, document.offset)

    def _leave(self, stream: _Stream) -> None:
        stream.document = None
        self._own = self._is_own_read_fast

    def _list(
        self, records: list[Any], stream: _Stream, frames: list[Peeled], whole: bytes
    ) -> Decoded:
        """Read an array of records, such as one trace of Zipkin, or several of them."""
        if isinstance(records[0], list):
            return Batch(tuple(self._list(found, stream, frames, whole) for found in records))
        fmt = self._fixed if self._fixed and self._fixed.is_json else self._detect(records[0])
        if fmt is not None and fmt.is_joint and all(fmt.score(record) > 0 for record in records):
            return self._event(fmt, {"": records}, stream, frames, whole)
        return Batch(tuple(self._record(found, stream, frames, whole) for found in records))

    def _record(
        self, record: dict[str, Any], stream: _Stream, frames: list[Peeled], whole: bytes
    ) -> Decoded:
        fmt = self._fixed if self._fixed and self._fixed.is_json else self._detect(record)
        if fmt is None and self._fields and self._fields.columns(record):
            fmt = named("json")
        if fmt is None:
            return self._rejected(
                whole,
                "JSON object without a message or an action; say where they are "
                "in [tool.narration.map]",
            )
        return self._event(fmt, record, stream, frames, whole)

    def _detect(self, record: dict[str, Any]) -> Format | None:
        # Records of one call site share their names, and the names decide nearly always; the
        # types of the few values that formats look at are part of the signature.
        signature = (*record, str(type(record.get("level"))), str(record.get("v"))[:8])
        fmt = self._by_keys.get(signature)
        if fmt is not None and fmt.score(record) > 0:
            return fmt
        best = max(self._json, key=lambda fmt: (fmt.score(record), fmt is self._last_format))
        if best.score(record) <= 0:
            return None
        if len(self._by_keys) < _MOST_SIGNATURES and len(record) < _MOST_KEYS:
            self._by_keys[signature] = best
        return best

    def _event(
        self,
        fmt: Format,
        record: dict[str, Any],
        stream: _Stream,
        frames: list[Peeled],
        whole: bytes,
    ) -> Decoded:
        try:
            events = fmt.read(record, self._fields)
        except msgspec.ValidationError as error:
            return self._rejected(whole, f"field of the wrong type: {error}")
        self._last_format = fmt
        if isinstance(events, Event):
            return self._done(events, stream, [] if fmt.name == "narration" else frames)
        if not events:
            return Continuation(b"")
        done = [self._done(event, stream, frames) for event in events]
        return done[0] if len(done) == 1 else Batch(tuple(done))

    def _goes_on(self, text: str, stream: _Stream, frames: list[Peeled]) -> bool:
        """Whether text that could be a message is a line of the last one's stack trace."""
        if stream.last is None or not any(frame.is_line for frame in frames):
            return False
        return stream.in_trace or begins_trace(text) or continues(text)

    def _message(self, text: str, frames: list[Peeled]) -> Event:
        fields: dict[str, Any] = {"message": text}
        for frame in frames:
            fields |= frame.fields
        event = named("json").read(fields, self._fields)
        assert isinstance(event, Event)
        level = next((frame.level for frame in reversed(frames) if frame.level), None)
        service = next((frame.service for frame in reversed(frames) if frame.service), "")
        return msgspec.structs.replace(event, level=level or event.level, actor=service)

    def _done(self, event: Event, stream: _Stream, frames: list[Peeled]) -> Event:
        """Add what the framing knows and the record does not say."""
        said: dict[str, Any] = {}
        for frame in reversed(frames):
            for name in ("service", "instance", "timestamp"):
                value = getattr(frame, name)
                if value is not None and getattr(event, name) is None and name not in said:
                    said[name] = value
        if event.service is None and self._last_format is not _OWN and self._service is not None:
            said.setdefault("service", self._service)
        if said:
            event = msgspec.structs.replace(event, **said)
        stream.last, stream.in_trace, stream.broken, stream.taken = event, False, False, 0
        return event

    def _continuation(
        self, line: bytes, text: str, stream: _Stream, whole: bytes, why: str
    ) -> Decoded:
        stream.in_trace = stream.in_trace or begins_trace(text)
        if not (stream.in_trace or continues(text) or _is_below_failure(text, stream)):
            return self._break(whole, why, stream)
        if stream.broken and not stream.in_trace:
            return self._rejected(whole, "continues a line that is no event")
        if stream.last is None:
            return self._rejected(whole, "part of a stack trace that follows no event")
        if stream.taken >= MOST_LINES:
            return self._rejected(whole, f"line {stream.taken + 1} after an event: too many")
        stream.taken += 1
        return Continuation(line, stream.last)

    def _break(self, whole: bytes, why: str, stream: _Stream) -> Rejected:
        stream.broken, stream.in_trace = True, False
        return self._rejected(whole, why)

    def _stream(self, key: str) -> _Stream:
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= _MOST_STREAMS:  # names that never repeat are no streams
                return self._streams[""]
            stream = self._streams[key] = _Stream()
        return stream

    def _keep_fragment(self, line: bytes, stream: _Stream) -> Decoded:
        if stream.fragment_size + len(line) > self._most_bytes:
            head = b"".join((*stream.fragment, line))
            stream.fragment, stream.fragment_size = [], 0
            return self._rejected(head[:_SHOWN], f"line of more than {self._most_bytes} bytes")
        stream.fragment.append(line)
        stream.fragment_size += len(line)
        return Continuation(line)

    def _keep(self, chunk: bytes) -> None:
        """Collect the beginning of a line, up to the limit."""
        if not chunk:
            return
        if self._skipping:
            self._skipping += len(chunk)
            return
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        if self._pending_size > self._most_bytes:
            self._skipping = self._pending_size
            self._pending = [b"".join(self._pending)[:_SHOWN]]

    def _too_long(self, rest: bytes) -> Rejected:
        size = self._skipping + len(rest)
        rejected = self._rejected(
            self._pending[0], f"line of {size} bytes; the most is {self._most_bytes}"
        )
        self.offset += size + 1
        self._pending, self._pending_size, self._skipping = [], 0, 0
        return rejected

    def _rejected(self, line: bytes, why: str) -> Rejected:
        return Rejected(line, why, self.source, self.offset)


_OWN = formats()["narration"]
_OWN_OR_NONE = (None, _OWN)


def _is_list_of_records(value: object) -> TypeGuard[list[Any]]:
    """Whether it is an array of objects, or of such arrays."""
    if not isinstance(value, list) or not value:
        return False
    if isinstance(value[0], list):
        return all(_is_list_of_records(item) and isinstance(item[0], dict) for item in value)
    return all(isinstance(item, dict) for item in value)


def _is_below_failure(text: str, stream: _Stream) -> bool:
    """Whether it is a line of the Go stack that a logger prints below a failure."""
    failed = stream.last is not None and stream.last.level in ("warn", "error", "fatal")
    return failed and not stream.broken and is_go_frame(text)


def _cut_off(decoded: Decoded) -> Decoded:
    if isinstance(decoded, Rejected):
        return msgspec.structs.replace(
            decoded, why=f"{decoded.why} (the stream ended in this line)"
        )
    return decoded


def _kind(value: object) -> str:
    names = {list: "array", str: "string", int: "number", float: "number", bool: "boolean"}
    return names.get(type(value), "null")
