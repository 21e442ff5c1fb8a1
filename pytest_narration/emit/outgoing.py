"""The current context -> headers of the next request or of the response.

Called by the middleware, the client hooks, and services that call others by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, cast

from .context import Context, Trail, current_context
from .incoming import (
    CORRELATION_HEADER,
    MAX_CAUSES,
    PARENT_JOB_HEADER,
    REQUEST_ID_HEADER,
    Headers,
    Incoming,
    is_event_id,
    is_id,
)
from .otel import RunningSpan, current_span
from .tracecontext import (
    MAX_MEMBERS,
    RANDOM,
    SAMPLED,
    format_traceparent,
    is_span_id,
    is_trace_id,
    new_span_id,
    new_trace_id,
)
from .tracestate import MEMBER_KEY, TraceState, others, state_in_span

__all__ = ["CAUSE_HEADER", "behind_ours", "inject", "inject_call", "learn", "response_headers"]

CAUSE_HEADER: Final = "X-Narration-Cause"

_CORRELATION: Final = CORRELATION_HEADER.lower()
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower()
_CAUSE: Final = CAUSE_HEADER.lower()
_WRITTEN: Final = "pytest_narration.correlation_id"
# A line of work that calls a thousand services without a word names the latest of them.
_MAX_PENDING: Final = 32


def inject(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Write the current context into the headers of an outgoing request and return them.

    Each call gets a parent id of its own, as if it had a client span; the span that narrates
    travels in our ``tracestate`` member, ``narration=<event id>[;<event id>...][;p:<span id>]``.
    A current OpenTelemetry span gives the trace, and the parent id when it stands for a call.
    What the headers said about correlation and trace before is replaced, in any spelling of the
    names: they may be those of the request that is being answered. Without a context and without
    a span the headers stay as they are. An id that may not travel is left out.

    :param headers: any mutable mapping, case-insensitive or not; a fresh dict when omitted.
    """
    carrier: MutableMapping[str, str] = {} if headers is None else headers
    outgoing = _outgoing(current_context())
    if not outgoing:
        return carrier
    if carrier:
        stale = {name.lower() for name in outgoing} | {"tracestate"}
        for name in [name for name in carrier if name.lower() in stale]:
            del carrier[name]
    carrier.update(outgoing)
    return carrier


def inject_call(
    headers: MutableMapping[str, str], request: MutableMapping[str, Any] | None = None
) -> None:
    """:func:`inject` for a client's hook: a correlation id that was given to this call is kept.

    :param request: what the client remembers about the request, where one request may be sent
        twice: an id that a hook wrote is not one that was given.
    """
    seen = {} if request is None else request
    given = [value for name, value in headers.items() if name.lower() == _CORRELATION]
    inject(headers)
    if len(given) == 1 and is_id(given[0]) and given[0] != seen.get(_WRITTEN):
        headers[CORRELATION_HEADER] = given[0]
    else:
        seen[_WRITTEN] = headers.get(CORRELATION_HEADER)


def learn(headers: Headers) -> None:
    """Read a response: the callee's last event becomes a cause of this context's next event.

    Without a context, or without a valid ``X-Narration-Cause``, nothing happens.
    """
    context = current_context()
    if context is None:
        return
    given = _response_causes(headers)
    if not given:
        return
    pending = context.trail.pending
    for text in given.split(",", MAX_CAUSES)[:MAX_CAUSES]:
        event_id = text.strip(" \t")
        if is_event_id(event_id) and event_id not in pending:
            pending.append(event_id)
    del pending[:-_MAX_PENDING]


def response_headers(
    incoming: Incoming, context: Context | None, own: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what the response still lacks, as ``(name, value)`` in ASCII.

    :param context: the innermost context when the response starts; its correlation id wins over
        the request's, as it may have come with the body.
    :param own: ``{lower-case name: value}`` of what the application set; never set again. Its
        correlation id is echoed under the alias too.
    """
    bound = context.get("correlation_id") if context is not None else None
    correlation = own.get(_CORRELATION, "")
    if not is_id(correlation):
        correlation = bound if is_id(bound) else incoming.correlation_id
    lacking: list[tuple[str, str]] = []
    if _CORRELATION not in own:
        lacking.append((CORRELATION_HEADER, correlation))
    if _REQUEST_ID not in own:
        lacking.append((REQUEST_ID_HEADER, correlation))
    if context is not None and _CAUSE not in own:
        causes = _causes(context.trail, without=incoming.cause)
        if causes:
            lacking.append((CAUSE_HEADER, ", ".join(causes)))
    return lacking


def _outgoing(context: Context | None) -> dict[str, str]:
    span = current_span()
    if context is None and span is None:
        return {}
    sent: dict[str, str] = {}
    if context is not None:
        correlation = context.values.get("correlation_id")
        if is_id(correlation):
            sent[CORRELATION_HEADER] = correlation
        # A service without a job of its own passes on whose job it works for.
        job = context.values.get("job_id") or context.values.get("parent_job_id")
        if is_id(job):
            sent[PARENT_JOB_HEADER] = job
    state = _trace(context, span)
    parent_id = span.span_id if span is not None and span.is_call else new_span_id()
    sent["traceparent"] = format_traceparent(state.trace_id, parent_id, state.flags)
    if said := behind_ours(context, state):
        sent["tracestate"] = said
    return sent


def behind_ours(context: Context | None, state: TraceState) -> str:
    """Return a ``tracestate`` with our member, if there is anything to say, and then the others."""
    own = _member(context) if context is not None else ""
    if not own:
        return str(state)
    return f"{own},{_with_room(state)}" if state else own


def _trace(context: Context | None, span: RunningSpan | None) -> TraceState:
    """Return the trace to continue, with what other systems said about it."""
    state = context.tracestate if context is not None else None
    if span is not None:
        return state_in_span(span, state)
    trace_id = context.values.get("trace_id") if context is not None else None
    if isinstance(state, TraceState):
        if trace_id is None or trace_id == state.trace_id:
            return state
        state = None
    text = others(state) if state else ""
    if is_trace_id(trace_id):
        return TraceState(text, trace_id, SAMPLED)
    correlation = context.values.get("correlation_id") if context is not None else None
    if is_id(correlation):
        # Each call of one correlation is in one trace, also where nobody bound a trace id.
        derived = hashlib.blake2b(correlation.encode(), digest_size=16).hexdigest()
        return TraceState(text, derived, SAMPLED)
    return TraceState(text, new_trace_id(), SAMPLED | RANDOM)


def _with_room(state: str) -> str:
    """Leave out the last of 32 members, so that ours can go to the front."""
    return state if state.count(",") < MAX_MEMBERS - 1 else state.rpartition(",")[0]


def _member(context: Context) -> str:
    said = _causes(context.trail)
    span_id = context.values.get("span_id")
    if is_span_id(span_id):
        said.append(f"p:{span_id}")
    return f"{MEMBER_KEY}={';'.join(said)}" if said else ""


def _causes(trail: Trail, *, without: tuple[str, ...] = ()) -> list[str]:
    """The latest event of a line of work, then what its next event would name as causes."""
    ids = [*trail.pending[1 - MAX_CAUSES :]]
    if trail.last is not None:
        ids.insert(0, trail.last)
    return [known for known in ids if known not in without]


def _response_causes(headers: Headers) -> str | None:
    get = getattr(headers, "get", None)
    if get is not None:
        found = get(_CAUSE) or get(CAUSE_HEADER)
        if found is None and isinstance(headers, dict):
            found = next((value for name, value in headers.items() if name.lower() == _CAUSE), None)
    else:
        spelled = (_CAUSE, _CAUSE.encode())
        pairs = cast("Iterable[tuple[Any, Any]]", headers)
        found = next((value for name, value in pairs if name.lower() in spelled), None)
    if isinstance(found, bytes):
        return found.decode("latin-1")
    return found if isinstance(found, str) else None
