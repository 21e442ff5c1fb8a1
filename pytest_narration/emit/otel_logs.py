"""Events of this process -> OTLP log records, each linked to the span that it was narrated in.

::

    from opentelemetry._logs import set_logger_provider

    set_logger_provider(provider)       # with the exporter of your choice
    stop = export_events()

stdout keeps every line; the records are a copy for a telemetry backend. Their export must not run
in the caller: use a batching processor.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import MissingExtra
from .process import subscribe
from .tracecontext import SAMPLED, is_span_id, is_trace_id

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

    from .context import Context

__all__ = ["export_events"]

_SEVERITIES: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber"""
_ELSEWHERE: Final = frozenset({"human", "level", "span_id", "timestamp", "trace_id"})
"""What a record has fields of its own for."""

_decode = msgspec.json.Decoder().decode


def export_events(provider: LoggerProvider | None = None) -> Callable[[], None]:
    """Emit a log record for each event from here on.

    The record has the event's name (its ``event_name`` or ``action``), sentence, severity, time
    and span; every other field is an attribute. An event outside of any trace takes the current
    span.

    :param provider: where records go; OpenTelemetry's own by default.
    :return: a function that ends it.
    :raises MissingExtra: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import _logs, trace
        from opentelemetry.context import Context as OtelContext
    except ImportError as error:
        raise MissingExtra("opentelemetry-api", "otel") from error
    logger = _logs.get_logger("pytest_narration", logger_provider=provider)

    def linked(fields: dict[str, Any], context: Context | None) -> Any:
        trace_id, span_id = fields.get("trace_id"), fields.get("span_id")
        if not is_trace_id(trace_id) or not is_span_id(span_id):
            return None
        flags = getattr(context.tracestate, "flags", SAMPLED) if context is not None else SAMPLED
        ids = trace.SpanContext(int(trace_id, 16), int(span_id, 16), False, trace.TraceFlags(flags))
        return trace.set_span_in_context(trace.NonRecordingSpan(ids), OtelContext())

    def export(line: bytes, context: Context | None) -> None:
        fields: dict[str, Any] = _decode(line)
        name = fields.get("event_name") or fields["action"]
        logger.emit(
            timestamp=_nanoseconds(fields["timestamp"]),
            context=linked(fields, context),
            severity_text=fields["level"],
            severity_number=_logs.SeverityNumber(_SEVERITIES[fields["level"]]),
            body=fields["human"],
            event_name=str(name),
            attributes={
                name: value
                for name, value in fields.items()
                if value is not None and name not in _ELSEWHERE
            },
        )

    return subscribe(export)


def _nanoseconds(timestamp: str) -> int:
    moment = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    return round(moment.timestamp() * 1000) * 1_000_000
