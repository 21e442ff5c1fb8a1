"""OTLP's protobuf exports -> the shape of OTLP/JSON, which ``formats.otlp`` reads.

A decoder for the few messages of OTLP, so that the endpoint needs no protobuf library. Field
numbers are those of https://github.com/open-telemetry/opentelemetry-proto (v1, stable); unknown
fields are skipped. https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["decode_logs", "decode_traces"]

# {field number: (name, kind)}; a kind is a scalar's name, or the fields of a message; a name that
# ends with "*" is repeated.
_Fields = dict[int, tuple[str, Any]]

_ANY_VALUE: _Fields = {
    1: ("stringValue", "string"),
    2: ("boolValue", "bool"),
    3: ("intValue", "int64"),
    4: ("doubleValue", "double"),
    7: ("bytesValue", "hex"),
}
_ANY_VALUE[5] = ("arrayValue", {1: ("values*", _ANY_VALUE)})
_KEY_VALUE: _Fields = {1: ("key", "string"), 2: ("value", _ANY_VALUE)}
_ANY_VALUE[6] = ("kvlistValue", {1: ("values*", _KEY_VALUE)})

_RESOURCE: _Fields = {1: ("attributes*", _KEY_VALUE)}
_SCOPE: _Fields = {1: ("name", "string"), 2: ("version", "string"), 3: ("attributes*", _KEY_VALUE)}

_LOG_RECORD: _Fields = {
    1: ("timeUnixNano", "fixed64"),
    2: ("severityNumber", "int64"),
    3: ("severityText", "string"),
    5: ("body", _ANY_VALUE),
    6: ("attributes*", _KEY_VALUE),
    9: ("traceId", "hex"),
    10: ("spanId", "hex"),
    11: ("observedTimeUnixNano", "fixed64"),
    12: ("eventName", "string"),
}
_SPAN_EVENT: _Fields = {
    1: ("timeUnixNano", "fixed64"),
    2: ("name", "string"),
    3: ("attributes*", _KEY_VALUE),
}
_SPAN: _Fields = {
    1: ("traceId", "hex"),
    2: ("spanId", "hex"),
    3: ("traceState", "string"),
    4: ("parentSpanId", "hex"),
    5: ("name", "string"),
    6: ("kind", "int64"),
    7: ("startTimeUnixNano", "fixed64"),
    8: ("endTimeUnixNano", "fixed64"),
    9: ("attributes*", _KEY_VALUE),
    11: ("events*", _SPAN_EVENT),
    15: ("status", {2: ("message", "string"), 3: ("code", "int64")}),
}


def _export(outer: str, middle: str, inner: str, record: _Fields) -> _Fields:
    batch: _Fields = {1: ("scope", _SCOPE), 2: (f"{inner}*", record)}
    group: _Fields = {1: ("resource", _RESOURCE), 2: (f"{middle}*", batch)}
    return {1: (f"{outer}*", group)}


_LOGS = _export("resourceLogs", "scopeLogs", "logRecords", _LOG_RECORD)
_TRACES = _export("resourceSpans", "scopeSpans", "spans", _SPAN)
_DEEPEST = 64
_WIDTH = {1: 8, 5: 4}


def decode_logs(body: bytes) -> dict[str, Any]:
    """Return an ``ExportLogsServiceRequest`` as OTLP/JSON.

    :raises ValueError: the bytes are no such message.
    """
    return _message(body, _LOGS, 0)


def decode_traces(body: bytes) -> dict[str, Any]:
    """Return an ``ExportTraceServiceRequest`` as OTLP/JSON.

    :raises ValueError: the bytes are no such message.
    """
    return _message(body, _TRACES, 0)


def _message(data: bytes, fields: _Fields, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("protobuf message nested too deeply")
    found: dict[str, Any] = {}
    for number, raw in _split(data):
        if number not in fields:
            continue
        name, kind = fields[number]
        if isinstance(kind, dict):
            if not isinstance(raw, bytes):
                raise ValueError(f"protobuf field {number} ({name}) is not a message")
            value: Any = _message(raw, kind, depth + 1)
        else:
            value = _scalar(raw, kind, name)
        if name.endswith("*"):
            found.setdefault(name[:-1], []).append(value)
        else:
            found[name] = value
    return found


def _scalar(raw: int | bytes, kind: str, name: str) -> Any:
    if kind in {"string", "hex"}:
        if not isinstance(raw, bytes):
            raise ValueError(f"protobuf field {name} has no bytes")
        return raw.decode("utf-8", "replace") if kind == "string" else raw.hex()
    if not isinstance(raw, int):
        raise ValueError(f"protobuf field {name} is not a number")
    if kind == "bool":
        return bool(raw)
    if kind == "double":
        return struct.unpack("<d", raw.to_bytes(8, "little"))[0]
    if kind == "int64":
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    return raw


def _split(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield ``(field number, number or bytes)`` of each field of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire in _WIDTH:
            size = _WIDTH[wire]
        else:
            raise ValueError(f"protobuf wire type {wire} at byte {position}")
        piece = data[position : position + size]
        if len(piece) != size:
            raise ValueError(f"protobuf field {number} is cut off at byte {len(data)}")
        position += size
        yield number, piece if wire == 2 else int.from_bytes(piece, "little")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError(f"protobuf number is cut off at byte {position}")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, position
        shift += 7
