"""One line of bytes <-> :class:`~pytest_narration.event.Event`, or the reason why not.

This is the package's own wire: one JSON object per line (RFC 8259, UTF-8), the contract of
``schema/narration-event.v1.json``. Sources read with :func:`decode`; tests and tools write with
:func:`encode`. Other loggers' lines are the business of :mod:`pytest_narration.formats`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .event import COLUMNS, Event

__all__ = ["Rejected", "decode", "encode", "from_fields"]


class Rejected(msgspec.Struct, frozen=True):
    """A line that could not be read as an event: kept, counted and shown, never dropped."""

    line: bytes
    """The line as it was read, without its newline."""
    why: str
    """The reason, in words."""
    source: str = ""
    """Where it was read: a service's or a file's name."""
    offset: int = 0
    """Bytes from the start of the source to the line."""


_encoder = msgspec.json.Encoder()
_decode_any = msgspec.json.Decoder().decode
_decode_columns = msgspec.json.Decoder(Event).decode
_DOLLAR: Final = ord("$")
_BAD_INPUT: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def encode(event: Event) -> bytes:
    """Return the event as one JSON line with its newline; extras follow the columns."""
    return _encoder.encode(event.fields()) + b"\n"


def from_fields(fields: dict[str, Any]) -> Event:
    """Build an event from a flat mapping; names that are no columns become extras.

    :raises msgspec.ValidationError: a column has a value of the wrong type.
    """
    # An emitter that writes null says the same as one that writes nothing.
    columns = {name: v for name, v in fields.items() if name in COLUMNS and v is not None}
    columns["$extra"] = {name: value for name, value in fields.items() if name not in COLUMNS}
    return msgspec.convert(columns, Event)


class _Habit:
    """How many of the last lines had extras: those that follow are likely to have some too."""

    extras = 0


_habit: Final = _Habit()
_SURE: Final = 4
"""So many lines with extras, and the quick way is not tried: it costs a third when in vain."""


def decode(line: bytes, *, source: str = "", offset: int = 0) -> Event | Rejected:
    """Read one line, with or without its newline. Never raises on bad input."""
    if _habit.extras < _SURE:
        try:
            event = _decode_columns(line)
            # A field of the line may be called as the extras are in an Event.
            if event.action and not event.extra and _DOLLAR not in line:
                return event
        except _BAD_INPUT:  # told apart below
            pass
    try:
        fields = _decode_any(line)
    except _BAD_INPUT as error:
        line = line.rstrip(b"\r\n")
        return Rejected(line, _why_not_json(line, error), source, offset)
    if not isinstance(fields, dict):
        why = f"JSON {_kind(fields)}, not an object"
        return Rejected(line.rstrip(b"\r\n"), why, source, offset)
    action = fields.get("action")
    if not isinstance(action, str) or not action:
        why = "JSON object without an `action`: not a narration event"
        return Rejected(line.rstrip(b"\r\n"), why, source, offset)
    extra: dict[str, Any] = {}
    for name in fields:
        if name not in COLUMNS:
            extra[name] = fields[name]
    _habit.extras = _habit.extras + 1 if extra else 0
    try:
        if extra:
            for name in extra:
                del fields[name]
            fields["$extra"] = extra
        return msgspec.convert(fields, Event)
    except msgspec.ValidationError:
        fields = _decode_any(line)  # a null, or a wrong type: told apart at leisure
    try:
        return from_fields(fields)
    except msgspec.ValidationError as error:
        why = f"field of the wrong type: {error}"
        return Rejected(line.rstrip(b"\r\n"), why, source, offset)


def _why_not_json(line: bytes, error: Exception) -> str:
    if not line.strip():
        return "empty line"
    if isinstance(error, RecursionError):
        return "JSON nested too deeply"
    return f"not JSON: {error}"


def _kind(value: object) -> str:
    names = {list: "array", str: "string", int: "number", float: "number", bool: "boolean"}
    return names.get(type(value), "null")
