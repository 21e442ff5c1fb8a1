"""OTLP/JSON: an export of logs or traces, whose one line holds many events.

Written by the OpenTelemetry Collector's file exporter and sent by every OTLP/HTTP exporter; the
protobuf form is decoded into the same shape by :mod:`pytest_narration.sources.otlp_wire`.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from ..event import Event
from .compose import Shape
from .field_map import FieldMap
from .format import Format
from .spans import Logged, Span, owned

__all__ = ["Otlp"]

_NO_ID = re.compile(r"0*$")
_HEX = re.compile(r"(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})$")
_DEEPEST = 20
_IDS = {"traceId": "trace_id", "spanId": "span_id", "parentSpanId": "parent_span_id"}
_SPAN_PARTS = frozenset({
    "attributes", "status", "events", "links", "name", "startTimeUnixNano", *_IDS,
})  # fmt: skip


class Otlp(Format):
    """``{"resourceLogs":[…]}`` or ``{"resourceSpans":[…]}``; a span is one event at its start."""

    name: ClassVar[str] = "otlp"
    log: ClassVar[Shape] = Shape(
        human=("body", "message", "exception.message", "event.name"),
        level=("severityNumber", "severityText"),
        scale="otel",
        timestamp=("timeUnixNano", "observedTimeUnixNano"),
        action=("eventName", "event.name"),
        error=("exception.type",),
        noise=("droppedAttributesCount", "flags", "severityText", "observedTimeUnixNano"),
    )

    def score(self, record: dict[str, Any]) -> int:
        record = _export(record)
        names = ("resourceLogs", "resourceSpans", "resource_logs", "resource_spans")
        return 97 if any(isinstance(record.get(name), list) for name in names) else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        record = _export(record)
        return [
            *self._records(record, "resourceLogs", "scopeLogs", "logRecords", fields),
            *self._records(record, "resourceSpans", "scopeSpans", "spans", fields),
        ]

    def _records(
        self, record: dict[str, Any], outer: str, middle: str, inner: str, fields: FieldMap
    ) -> Iterator[Event]:
        for group in _list(record, outer):
            resource = _attributes(_dict(group, "resource"))
            for batch in _list(group, middle):
                scope = _dict(batch, "scope")
                for item in _list(batch, inner):
                    if inner == "spans":
                        yield from self._span(item, resource, scope, fields)
                    else:
                        yield self._log(item, resource, scope, fields)

    def _log(
        self,
        item: dict[str, Any],
        resource: dict[str, Any],
        scope: dict[str, Any],
        fields: FieldMap,
    ) -> Event:
        flat = {_camel(name): value for name, value in item.items()}
        attributes = _attributes(flat)
        flat.pop("attributes", None)
        body = _value(flat.pop("body", None), 0)
        if isinstance(body, dict):
            attributes = body | attributes  # a structured body is fields, its message the sentence
        elif body is not None:
            attributes.setdefault("body", body)
        if not flat.get("severityNumber"):  # 0 is UNSPECIFIED
            flat.pop("severityNumber", None)
            if flat.get("severityText"):
                flat["severityNumber"] = flat["severityText"]
        if str(flat.get("timeUnixNano", "0")) == "0":
            flat.pop("timeUnixNano", None)
            if "observedTimeUnixNano" in flat:
                flat["timeUnixNano"] = flat["observedTimeUnixNano"]
        written = attributes | _identified(flat)
        return owned(written, self.log, resource, _name(scope), fields)

    def _span(
        self,
        item: dict[str, Any],
        resource: dict[str, Any],
        scope: dict[str, Any],
        fields: FieldMap,
    ) -> Iterator[Event]:
        flat = _identified({_camel(name): value for name, value in item.items()})
        status = _dict(flat, "status")
        is_error = status.get("code") in (2, "STATUS_CODE_ERROR", "2")
        message = status.get("message")
        span = Span(
            name=flat.get("name") if isinstance(flat.get("name"), str) else None,
            ids={column: flat[name] for name, column in _IDS.items() if name in flat},
            begin=_number(flat.get("startTimeUnixNano")),
            end=_number(flat.get("endTimeUnixNano")),
            error=(message if isinstance(message, str) else "") if is_error else None,
            attributes=_attributes(flat)
            | {name: value for name, value in flat.items() if name not in _SPAN_PARTS}
            | ({"links": links} if (links := _list(flat, "links")) else {}),
            logged=[
                Logged(
                    event.get("name") if isinstance(event.get("name"), str) else None,
                    _number(event.get("timeUnixNano", event.get("time_unix_nano"))),
                    _attributes(event),
                )
                for event in _list(flat, "events")
            ],
            resource=resource,
            scope=_name(scope),
        )
        yield from span.events(fields)


def _export(record: dict[str, Any]) -> dict[str, Any]:
    """Return the export inside of what Jaeger's and Tempo's query services answer."""
    inner = next(
        (record[n] for n in ("result", "trace") if isinstance(record.get(n), dict)), record
    )
    if "scopeSpans" in next(iter(_list(inner, "batches")), {}):
        return {"resourceSpans": inner["batches"]}
    return inner


def _identified(flat: dict[str, Any]) -> dict[str, Any]:
    """Keep ids that name something, as lower-case hex; some writers send base64 after all."""
    for name in ("traceId", "spanId", "parentSpanId"):
        value = flat.pop(name, None)
        if not isinstance(value, str) or _NO_ID.match(value):
            continue
        if not _HEX.match(value):
            try:
                value = base64.b64decode(value, validate=True).hex()
            except ValueError:
                flat[f"raw.{name}"] = value
                continue
        flat[name] = value.lower()
    return flat


def _attributes(owner: dict[str, Any]) -> dict[str, Any]:
    """Turn ``[{"key": k, "value": {"stringValue": v}}]`` into ``{k: v}``."""
    found = {}
    for pair in _list(owner, "attributes"):
        if isinstance(pair.get("key"), str):
            found[pair["key"]] = _value(pair.get("value"), 0)
    return found


def _value(value: Any, depth: int) -> Any:
    """Unwrap an AnyValue."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    for name, inner in value.items():
        kind = _camel(name)
        if kind == "intValue":
            return _number(inner)
        if kind == "arrayValue":
            return [_value(item, depth + 1) for item in _list(inner, "values")]
        if kind == "kvlistValue":
            pairs = _list(inner, "values")
            return {str(pair.get("key")): _value(pair.get("value"), depth + 1) for pair in pairs}
        if kind in {"stringValue", "boolValue", "doubleValue", "bytesValue"}:
            return inner
    return None


def _list(owner: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(owner, dict):
        return []
    items = owner.get(name, owner.get(_snake(name)))
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _dict(owner: dict[str, Any], name: str) -> dict[str, Any]:
    value = owner.get(name)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    """64-bit integers are strings in JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    whole = isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value)
    return int(value) if whole else None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest) if rest else name


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)


def _name(scope: dict[str, Any]) -> str | None:
    name = scope.get("name")
    return name if isinstance(name, str) else None
