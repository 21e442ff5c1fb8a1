"""OpenTelemetry carriers <-> span contexts, by this package's strict reading of the headers.

The SDK's own propagator continues a trace from the first of two ``traceparent`` headers, drops a
``tracestate`` that level 2 allows, and sends on our member as this service's caller wrote it.
Where OpenTelemetry's instrumentation reads and writes the headers, this one keeps both in the same
trace and says what this service has to say::

    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.propagate import set_global_textmap
    from opentelemetry.propagators.composite import CompositePropagator

    set_global_textmap(CompositePropagator([strict_propagator(), W3CBaggagePropagator()]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra
from .context import current_context
from .otel import running
from .outgoing import behind_ours
from .tracecontext import format_traceparent, parse_traceparent, parse_tracestate
from .tracestate import MEMBER_KEY, state_in_span

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
            # What the caller said to this service is none of those that it calls.
            members = tuple([member for member in members if member[0] != MEMBER_KEY])
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
            narrating = current_context()
            span = running(ids, is_call=True)
            state = state_in_span(span, narrating.tracestate if narrating else None)
            sent = format_traceparent(span.trace_id, span.span_id, state.flags)
            setter.set(carrier, "traceparent", sent)
            if said := behind_ours(narrating, state):
                setter.set(carrier, "tracestate", said)

        @property
        def fields(self) -> set[str]:
            return {"traceparent", "tracestate"}

    return StrictPropagator()
