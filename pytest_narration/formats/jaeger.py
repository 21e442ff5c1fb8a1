"""Jaeger's JSON: what its UI downloads, its query service answers and its storage keeps.

https://www.jaegertracing.io/docs/latest/architecture/apis/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..event import Event
from .field_map import FieldMap
from .format import Format
from .spans import Logged, Span, padded

__all__ = ["Jaeger"]

_MICROSECOND = 1000
"""Nanoseconds in one."""
_TRUE = (True, "true", 1)


class Jaeger(Format):
    """``{"data":[{"traceID":…,"spans":[…],"processes":{…}}]}``, one trace of it, or one span."""

    name: ClassVar[str] = "jaeger"

    def score(self, record: dict[str, Any]) -> int:
        return 96 if next(_traces(record), None) is not None else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        spans = [span for trace in _traces(record) for span in _spans(trace)]
        return [event for span in spans for event in span.events(fields)]


def _traces(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the traces of an answer, a trace, or a span by itself as storage keeps it."""
    for trace in (record, *_dicts(record.get("data"))):
        if isinstance(trace.get("spans"), list) and isinstance(trace.get("traceID"), str):
            yield trace
    if all(isinstance(record.get(name), str) for name in ("traceID", "spanID", "operationName")):
        yield {"spans": [record]}


def _spans(trace: dict[str, Any]) -> list[Span]:
    """Return each span once, in the order in which they began: an export has them in any order."""
    known = trace.get("processes")
    processes: dict[str, Any] = known if isinstance(known, dict) else {}
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for span in _dicts(trace.get("spans")):
        process = processes.get(str(span.get("processID")), span.get("process"))
        if (entry := (span, process if isinstance(process, dict) else {})) not in found:
            found.append(entry)
    found.sort(key=lambda entry: _integer(entry[0].get("startTime")) or 0)
    return [_span(span, process) for span, process in found]


def _span(span: dict[str, Any], process: dict[str, Any]) -> Span:
    attributes = _tags(span.get("tags"))
    if isinstance(span.get("warnings"), list) and span["warnings"]:
        attributes["warnings"] = span["warnings"]
    failed = attributes.get("error") in _TRUE or attributes.get("otel.status_code") == "ERROR"
    begin, duration = _integer(span.get("startTime")), _integer(span.get("duration"))
    name = span.get("operationName")
    found = {
        "trace_id": padded(span.get("traceID")),
        "span_id": padded(span.get("spanID")),
        "parent_span_id": padded(_parent(span)),
    }
    return Span(
        name=name if isinstance(name, str) else None,
        ids={column: value for column, value in found.items() if value},
        begin=None if begin is None else begin * _MICROSECOND,
        end=None if begin is None or duration is None else (begin + duration) * _MICROSECOND,
        error=str(attributes.pop("otel.status_description", "")) if failed else None,
        attributes=attributes,
        logged=[_logged(log) for log in _dicts(span.get("logs"))],
        resource={"service.name": process.get("serviceName")} | _tags(process.get("tags")),
    )


def _parent(span: dict[str, Any]) -> Any:
    """Return the span of which this one is a part, else the one that it follows from.

    What it refers to in other traces orders nothing in this one.
    """
    for kind in ("CHILD_OF", "FOLLOWS_FROM"):
        for reference in _dicts(span.get("references")):
            trace = reference.get("traceID", span.get("traceID"))
            if reference.get("refType") == kind and trace == span.get("traceID"):
                return reference.get("spanID")
    return span.get("parentSpanID")


def _logged(log: dict[str, Any]) -> Logged:
    attributes = _tags(log.get("fields"))
    # OpenTracing says what happened in "event"; many loggers on top of it in "message".
    name = attributes.pop("event", None) or attributes.pop("message", None)
    at = _integer(log.get("timestamp"))
    return Logged(name if isinstance(name, str) else None, at and at * _MICROSECOND, attributes)


def _tags(tags: Any) -> dict[str, Any]:
    """Turn ``[{"key": k, "type": "string", "value": v}]`` into ``{k: v}``."""
    return {tag["key"]: tag.get("value") for tag in _dicts(tags) if isinstance(tag.get("key"), str)}


def _dicts(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
