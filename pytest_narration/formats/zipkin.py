"""Zipkin's JSON: an array of spans, as its API answers and reporters send; or one span a line.

A call may be one span with two halves, the client's and the server's, under one id. The halves
become two spans: what the server's side did belongs below the server's.
https://zipkin.io/zipkin-api/#/default/post_spans
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from ..event import Event
from .field_map import FieldMap
from .format import Format
from .spans import Logged, Span, padded

__all__ = ["Zipkin"]

_MICROSECOND = 1000
"""Nanoseconds in one."""
_SENDS = frozenset({"CLIENT", "PRODUCER"})
_TAKES = frozenset({"SERVER", "CONSUMER"})
_MARKS = frozenset({"localEndpoint", "remoteEndpoint", "annotations", "kind", "parentId", "shared"})

_Half = tuple[str, str, str | None, bool]


class Zipkin(Format):
    """``[{"traceId":…,"id":…,"parentId":…,"kind":"CLIENT","localEndpoint":{…},…}]``."""

    name: ClassVar[str] = "zipkin"
    is_joint: ClassVar[bool] = True

    def score(self, record: dict[str, Any]) -> int:
        if "" in record:  # the array that a reader made one record of
            return 96
        ids = isinstance(record.get("traceId"), str) and isinstance(record.get("id"), str)
        if not ids or "message" in record or "msg" in record:
            return 0
        return 94 if not _MARKS.isdisjoint(record) else 60 if "timestamp" in record else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        halves = _merged(record.get("", [record]))
        halves.sort(key=lambda half: _integer(half.get("timestamp")) or 0)
        sent = {_call(half) for half in halves if _kind(half) in _SENDS}
        both = sent & {_call(half) for half in halves if _is_taken(half)}
        spans = [_span(half, is_divided=_call(half) in both) for half in halves]
        return [event for span in spans for event in span.events(fields)]


def _merged(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each half of a span once: reporters may send it in pieces, or again."""
    halves: dict[_Half, dict[str, Any]] = {}
    for record in records:
        known = halves.setdefault((*_call(record), _service(record), _is_taken(record)), {})
        for name, value in record.items():
            if name == "annotations" and isinstance(value, list):
                kept = known.setdefault(name, [])
                kept += [annotation for annotation in value if annotation not in kept]
            elif name == "tags" and isinstance(value, dict):
                known[name] = known.get(name, {}) | value
            else:
                known.setdefault(name, value)
    return list(halves.values())


def _span(half: dict[str, Any], *, is_divided: bool) -> Span:
    begin, duration = _integer(half.get("timestamp")), _integer(half.get("duration"))
    tags = half.get("tags")
    attributes = dict(tags) if isinstance(tags, dict) else {}
    error = attributes.get("error")
    for part in ("kind", "localEndpoint", "remoteEndpoint", "debug", "shared"):
        if part in half:
            attributes[part] = half[part]
    own, parent = padded(half.get("id")), padded(half.get("parentId"))
    if is_divided:
        mine = f"{half.get('traceId')} {own} client"
        client = hashlib.blake2b(mine.encode(), digest_size=8).hexdigest()
        own, parent = (own, client) if _is_taken(half) else (client, parent)
        attributes["shared_id"] = half.get("id")
    found = {"trace_id": padded(half.get("traceId")), "span_id": own, "parent_span_id": parent}
    name = half.get("name") or half.get("kind")
    return Span(
        name=name.lower() if isinstance(name, str) else None,
        ids={column: value for column, value in found.items() if value},
        begin=None if begin is None else begin * _MICROSECOND,
        end=None if begin is None or duration is None else (begin + duration) * _MICROSECOND,
        error=None if error is None else str(error),
        attributes=attributes,
        logged=_logged(half.get("annotations")),
        resource={"service.name": _service(half)},
    )


def _logged(annotations: Any) -> list[Logged]:
    found = []
    for annotation in annotations if isinstance(annotations, list) else []:
        if isinstance(annotation, dict) and isinstance(annotation.get("value"), str):
            at = _integer(annotation.get("timestamp"))
            found.append(Logged(annotation["value"], at and at * _MICROSECOND, {}))
    return sorted(found, key=lambda logged: logged.at or 0)


def _call(record: dict[str, Any]) -> tuple[str, str]:
    return str(record.get("traceId")), str(record.get("id"))


def _is_taken(record: dict[str, Any]) -> bool:
    return _kind(record) in _TAKES or record.get("shared") is True


def _kind(record: dict[str, Any]) -> str:
    kind = record.get("kind")
    return kind.upper() if isinstance(kind, str) else ""


def _service(record: dict[str, Any]) -> str | None:
    endpoint = record.get("localEndpoint")
    name = endpoint.get("serviceName") if isinstance(endpoint, dict) else None
    return name if isinstance(name, str) and name else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
