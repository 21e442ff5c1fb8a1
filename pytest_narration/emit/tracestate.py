"""What other systems say in ``tracestate``, and the trace that they say it about.

Read from requests by :mod:`.incoming` and from OpenTelemetry's spans; sent on by :mod:`.outgoing`
and :mod:`.otel_propagator`, behind our own member.
"""

from __future__ import annotations

from typing import Final

from .otel import RunningSpan
from .tracecontext import (
    RANDOM,
    fit_members,
    format_tracestate,
    merge_members,
    parse_tracestate,
)

__all__ = ["MEMBER_KEY", "TraceState", "others", "state_in_span"]

MEMBER_KEY: Final = "narration"
"""Key of our own ``tracestate`` member."""


class TraceState(str):
    """Other systems' ``tracestate`` members as text, with the trace they belong to.

    A :class:`~.context.Context` keeps it as its ``tracestate``, so the trace's flags reach
    :func:`~.outgoing.inject` without becoming a field of every event.
    """

    __slots__ = ("flags", "trace_id")

    trace_id: str
    flags: int

    def __new__(cls, text: str, trace_id: str, flags: int) -> TraceState:
        """Join the header value without our own member to the trace's id and W3C flags."""
        self = str.__new__(cls, text)
        self.trace_id = trace_id
        self.flags = flags
        return self


def others(text: str) -> str:
    """Other systems' members of a ``tracestate`` that was not checked before."""
    members = parse_tracestate([text]) or ()
    return format_tracestate(fit_members(tuple([m for m in members if m[0] != MEMBER_KEY])))


def state_in_span(span: RunningSpan, state: str | None) -> TraceState:
    """Return what is sent on from a span: what it says anew, as its sampler does, goes first.

    :param state: what the request said; left out when it belongs to another trace. A member that
        OpenTelemetry's reader dropped is still in it.
    """
    said = others(span.tracestate) if span.tracestate else ""
    if not isinstance(state, TraceState) or state.trace_id != span.trace_id:
        return TraceState(said, span.trace_id, span.flags)
    if said and said != state:
        known = parse_tracestate([state]) or ()
        merged = merge_members(parse_tracestate([said]) or (), known)
        said = format_tracestate(fit_members(merged))
    else:
        said = state
    # An SDK of level 1 drops the flag; the trace id stays as random as it was.
    return TraceState(said, span.trace_id, span.flags | state.flags & RANDOM)
