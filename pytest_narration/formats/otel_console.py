"""What OpenTelemetry's console exporter for Python prints: a span as one indented JSON object.

Its log records need nothing of their own: they are plain JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from ..event import Event
from .field_map import FieldMap, find
from .format import Format
from .spans import Logged, Span, padded

__all__ = ["OtelConsole"]


class OtelConsole(Format):
    """``{"name":…,"context":{"trace_id":"0x…"},"kind":"SpanKind.SERVER","parent_id":…}``."""

    name: ClassVar[str] = "otel-console"

    def score(self, record: dict[str, Any]) -> int:
        return 96 if "start_time" in record and find(record, "context.trace_id") else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        found = {
            "trace_id": padded(_hex(find(record, "context.trace_id"))),
            "span_id": padded(_hex(find(record, "context.span_id"))),
            "parent_span_id": padded(_hex(record.get("parent_id"))),
        }
        name, described = record.get("name"), find(record, "status.description")
        said = described if isinstance(described, str) else ""
        span = Span(
            name=name if isinstance(name, str) else None,
            ids={column: value for column, value in found.items() if value},
            begin=_nanoseconds(record.get("start_time")),
            end=_nanoseconds(record.get("end_time")),
            error=said if find(record, "status.status_code") == "ERROR" else None,
            attributes=_dict(record.get("attributes"))
            | {part: record[part] for part in ("kind", "links") if record.get(part)},
            logged=_logged(record.get("events")),
            resource=_dict(find(record, "resource.attributes")),
        )
        return list(span.events(fields))


def _logged(events: Any) -> list[Logged]:
    return [
        Logged(
            event["name"] if isinstance(event.get("name"), str) else None,
            _nanoseconds(event.get("timestamp")),
            _dict(event.get("attributes")),
        )
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, dict)
    ]


def _hex(value: Any) -> Any:
    return value.removeprefix("0x") if isinstance(value, str) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _nanoseconds(value: Any) -> int | None:
    try:
        when = datetime.fromisoformat(value)
        return round(when.timestamp() * 1_000_000) * 1000
    except (TypeError, ValueError, OverflowError):
        return None
