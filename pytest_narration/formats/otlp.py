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
from .compose import Shape, compose
from .field_map import FieldMap
from .format import Format

__all__ = ["Otlp"]

_NO_ID = re.compile(r"0*$")
_HEX = re.compile(r"(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})$")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_NANOSECONDS = 1_000_000
_DEEPEST = 20


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
    span: ClassVar[Shape] = Shape(
        human=("name",),
        timestamp=("startTimeUnixNano", "timeUnixNano"),
        error=("exception.type", "error.type"),
        noise=(
            "endTimeUnixNano", "droppedAttributesCount", "droppedEventsCount",
            "droppedLinksCount", "flags",
        ),
    )  # fmt: skip

    def score(self, record: dict[str, Any]) -> int:
        names = ("resourceLogs", "resourceSpans", "resource_logs", "resource_spans")
        return 97 if any(isinstance(record.get(name), list) for name in names) else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
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
        return self._compose(written, self.log, resource, scope, fields)

    def _span(
        self,
        item: dict[str, Any],
        resource: dict[str, Any],
        scope: dict[str, Any],
        fields: FieldMap,
    ) -> Iterator[Event]:
        flat = _identified({_camel(name): value for name, value in item.items()})
        attributes = _attributes(flat)
        status = _dict(flat, "status")
        events = _list(flat, "events")
        for name in ("attributes", "status", "events", "links"):
            flat.pop(name, None)
        said: dict[str, Any] = {"action": _slug(flat.get("name"))}
        if status.get("code") in (2, "STATUS_CODE_ERROR", "2"):
            said["level"] = "error"
            if isinstance(status.get("message"), str):
                attributes["status_message"] = status["message"]
        begin, end = _number(flat.get("startTimeUnixNano")), _number(flat.get("endTimeUnixNano"))
        if begin is not None and end is not None and end >= begin:
            said["duration_ms"] = round((end - begin) / _NANOSECONDS, 3)
        yield self._compose(attributes | flat, self.span, resource, scope, fields, **said)
        for event in events:
            inner = _attributes(event) | {
                "name": event.get("name"),
                "timeUnixNano": event.get("timeUnixNano", event.get("time_unix_nano")),
                "traceId": flat.get("traceId"),
                "spanId": flat.get("spanId"),
            }
            failed = {"level": "error"} if event.get("name") == "exception" else {}
            yield self._compose(
                inner, self.span, resource, scope, fields, action=_slug(event.get("name")), **failed
            )

    def _compose(
        self,
        flat: dict[str, Any],
        shape: Shape,
        resource: dict[str, Any],
        scope: dict[str, Any],
        fields: FieldMap,
        **said: Any,
    ) -> Event:
        written = flat | {"resource": resource} if resource else flat
        service, version = resource.get("service.name"), resource.get("service.version")
        if isinstance(service, str):
            said["service"] = service
            if isinstance(version, str):
                said["emitted_by"] = f"{service}@{version}"
        place = resource.get("service.instance.id") or resource.get("k8s.pod.name")
        if isinstance(place, str):
            said["instance"] = place
        if isinstance(scope.get("name"), str) and scope["name"]:
            said["actor"] = scope["name"]
        return compose(written, shape, fields, **said)


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


def _slug(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    return _PUNCTUATION.sub("_", name.lower()).strip("_") or None
