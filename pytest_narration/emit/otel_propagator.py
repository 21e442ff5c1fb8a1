"""OpenTelemetry carriers <-> span contexts, by this package's strict reading of the headers.

The SDK's own propagator continues a trace from the first of two ``traceparent`` headers and drops
a ``tracestate`` that level 2 allows. Where OpenTelemetry's instrumentation reads requests before
narration does, this one keeps both in the same trace::

    from opentelemetry.propagate import set_global_textmap

    set_global_textmap(strict_propagator())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra
from .tracecontext import format_traceparent, format_tracestate, parse_traceparent, parse_tracestate

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator

__all__ = ["strict_propagator"]


def strict_propagator() -> TextMapPropagator:
    """Return a propagator of W3C Trace Context level 2; baggage is another propagator's business.

    :raises MissingExtra: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.propagators.textmap import (
            TextMapPropagator,
            default_getter,
            default_setter,
        )
    except ImportError as error:
        raise MissingExtra("opentelemetry-api", "otel") from error

    class StrictPropagator(TextMapPropagator):
        def extract(self, carrier: Any, context: Any = None, getter: Any = default_getter) -> Any:
            context = {} if context is None else context
            parents = list(getter.get(carrier, "traceparent") or ())
            parent = parse_traceparent(parents[0]) if len(parents) == 1 else None
            if parent is None:
                return context
            members = parse_tracestate(getter.get(carrier, "tracestate") or ()) or ()
            ids = trace.SpanContext(
                int(parent.trace_id, 16),
                int(parent.parent_id, 16),
                is_remote=True,
                trace_flags=trace.TraceFlags(parent.flags),
                trace_state=trace.TraceState(members),
            )
            return trace.set_span_in_context(trace.NonRecordingSpan(ids), context)

        def inject(self, carrier: Any, context: Any = None, setter: Any = default_setter) -> None:
            ids = trace.get_current_span(context).get_span_context()
            if not ids.is_valid:
                return
            sent = format_traceparent(
                f"{ids.trace_id:032x}", f"{ids.span_id:016x}", int(ids.trace_flags)
            )
            setter.set(carrier, "traceparent", sent)
            if ids.trace_state:
                setter.set(carrier, "tracestate", format_tracestate(ids.trace_state.items()))

        @property
        def fields(self) -> set[str]:
            return {"traceparent", "tracestate"}

    return StrictPropagator()
