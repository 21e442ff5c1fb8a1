"""Headers of a request, or attributes of a message -> :class:`Incoming`, checked ids.

Read by the middleware and by queue consumers; nothing a caller sends is bound, logged or passed
on before it went through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeGuard, cast

import msgspec

from .context import narration_context
from .identity import is_event_id, new_id
from .otel import current_span
from .process import narrate
from .tracecontext import (
    MAX_STATE_CHARS,
    RANDOM,
    SAMPLED,
    Member,
    TraceParent,
    fit_members,
    format_tracestate,
    is_span_id,
    new_span_id,
    new_trace_id,
    parse_traceparent,
    parse_tracestate,
)
from .tracestate import MEMBER_KEY, TraceState, state_in_span

__all__ = [
    "CORRELATION_HEADER",
    "MAX_CAUSES",
    "MAX_ID_CHARS",
    "MEMBER_KEY",
    "PARENT_JOB_HEADER",
    "REQUEST_ID_HEADER",
    "Headers",
    "Incoming",
    "TraceState",
    "extract",
    "is_event_id",
    "is_id",
    "narrate_replaced",
]

CORRELATION_HEADER: Final = "X-Correlation-Id"
REQUEST_ID_HEADER: Final = "X-Request-Id"
"""Alias of the correlation id: read when the header itself is absent, always echoed."""
PARENT_JOB_HEADER: Final = "X-Parent-Job-Id"
MAX_ID_CHARS: Final = 128
MAX_CAUSES: Final = 5
"""Event ids that one hop carries: with a span id they fit the 256 characters of a member."""

Headers = Mapping[str, Any] | Iterable[tuple[str, Any]] | Iterable[tuple[bytes, bytes]]
"""What headers may look like; values that are no text are passed over."""

# Enough to find the caller by; too little of a token that ended up in the wrong header.
_SHOWN_CHARS: Final = 12

_id = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:\-]{{0,{MAX_ID_CHARS - 1}}}").fullmatch
_unsafe = re.compile(r"[^A-Za-z0-9._:\-]").sub
_UUID: Final = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
# Between services of one's own, the state is our member and nothing else.
_member_alone = re.compile(
    rf"{MEMBER_KEY}=({_UUID}(?:;{_UUID}){{0,{MAX_CAUSES - 1}}})(?:;p:((?!0{{16}})[0-9a-f]{{16}}))?"
).fullmatch

_READ: Final = (
    CORRELATION_HEADER,
    REQUEST_ID_HEADER,
    PARENT_JOB_HEADER,
    "traceparent",
    "tracestate",
)
_SLOTS: Final[dict[Any, int]] = {
    spelled: slot
    for slot, name in enumerate(_READ)
    for spelled in (name, name.lower(), name.lower().encode())
}
_LENGTHS: Final = frozenset(map(len, _READ))


class Incoming(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request's headers say, checked; everything in it may be bound, logged and sent on."""

    correlation_id: str
    """The caller's id when it gave a usable one, a fresh UUID otherwise."""
    given: bool
    """Whether the correlation id is the caller's."""
    replaced: str | None
    """Why the caller's id was refused: ``"too_long"``, ``"bad_character"``, ``"ambiguous"``."""
    offered: str | None
    """The beginning of the refused id, anything unsafe shown as ``?``."""
    parent_job_id: str | None
    """The caller's job; ``None`` also when the header is not a usable id."""
    trace_id: str
    """The caller's trace, or a fresh one when ``traceparent`` is absent or invalid."""
    parent_id: str | None
    """The parent id of ``traceparent``: the caller's client span; ``None`` in a fresh trace."""
    parent_span_id: str | None
    """The span the caller narrates in; ``parent_id`` when the caller does not say."""
    trace_flags: int
    tracestate: TraceState
    """The caller's ``tracestate`` without our own member; empty when there is nothing else."""
    cause: tuple[str, ...]
    """Ids of the caller's events that precede this request."""

    def context(self, **values: Any) -> narration_context:
        """Return the context to work in: these ids, and a span id of its own.

        An OpenTelemetry span of this process that is current gives its ids. ``values`` win.
        """
        bound: dict[str, Any] = {
            "correlation_id": self.correlation_id,
            "parent_job_id": self.parent_job_id,
            "trace_id": self.trace_id,
            "parent_span_id": self.parent_span_id,
            "tracestate": self.tracestate,
            "cause": self.cause,
        }
        span = current_span()
        if span is None:
            bound["span_id"] = new_span_id()
        else:
            same = span.trace_id == self.trace_id
            bound |= {
                "trace_id": span.trace_id,
                "span_id": span.span_id,
                "parent_span_id": self.parent_span_id if same else None,
                "tracestate": state_in_span(span, self.tracestate),
            }
        if values.get("job_id") == self.parent_job_id:
            bound["parent_job_id"] = None  # a message put back into its queue by its own job
        return narration_context(**(bound | values))


def is_id(value: object) -> TypeGuard[str]:
    """Return whether a value may travel as a correlation or job id.

    Letters, digits and ``. _ : -``, first a letter or digit, at most :data:`MAX_ID_CHARS`: safe
    in headers, logs, URLs, file names and shells, and enough for UUID, ULID, hex and prefixes.
    """
    return type(value) is str and _id(value) is not None


def extract(headers: Headers) -> Incoming:
    """Read the headers of a request or the attributes of a message. Never raises on bad input."""
    found: list[list[str]] = [[], [], [], [], []]
    items = getattr(headers, "items", None)
    try:
        pairs = cast("Iterable[tuple[Any, Any]]", items() if items is not None else headers)
        pairs = [(name, value) for name, value in pairs if isinstance(name, str | bytes)]
    except (TypeError, ValueError):  # no headers at all: a message without attributes, say
        pairs = []
    for name, value in pairs:
        slot = _SLOTS.get(name)
        if slot is None and len(name) in _LENGTHS:
            slot = _SLOTS.get(name.lower())
        if slot is None:
            continue
        if type(value) is bytes:
            value = value.decode("latin-1")
        if isinstance(value, str):
            found[slot].append(value)
    correlations, request_ids, jobs, parents, states = found
    offered = _one(correlations) or _one(request_ids)
    replaced = offered and _refusal(offered)
    job = _one(jobs)
    trace = parse_traceparent(parents[0]) if len(parents) == 1 else None
    state, caller_span, cause = _continue(trace, states)
    return Incoming(
        correlation_id=offered if offered and not replaced else new_id(),
        given=bool(offered) and not replaced,
        replaced=replaced or None,
        offered=_shown(offered) if offered and replaced else None,
        parent_job_id=job if job and _id(job) else None,
        trace_id=state.trace_id,
        parent_id=trace.parent_id if trace else None,
        parent_span_id=caller_span,
        trace_flags=state.flags,
        tracestate=state,
        cause=cause,
    )


def narrate_replaced(incoming: Incoming, *, actor: str = "http-server") -> None:
    """Narrate at warn that the caller's correlation id was refused, if it was."""
    if incoming.replaced is not None:
        narrate(
            "correlation_id_replaced",
            "Replaced the caller's correlation id {offered} ({reason})",
            actor=actor,
            level="warn",
            offered=incoming.offered,
            reason=incoming.replaced,
        )


def _one(values: list[str]) -> str | None:
    """The only value said; two that differ come back joined, and no id may contain the comma.

    Servers and proxies join repeated fields with commas (RFC 9110 section 5.2), so a joined one
    reads as they do.
    """
    if not values:
        return None
    if len(values) == 1 and "," not in values[0]:
        return values[0].strip(" \t") or None
    parts = dict.fromkeys(part.strip(" \t") for value in values for part in value.split(","))
    parts.pop("", None)
    return ",".join(parts) or None


def _refusal(offered: str) -> str | None:
    if _id(offered):
        return None
    if len(offered) > MAX_ID_CHARS:
        return "too_long"
    return "ambiguous" if "," in offered else "bad_character"


def _shown(offered: str) -> str:
    shown = _unsafe("?", offered[:_SHOWN_CHARS])
    if not shown[0].isalnum():
        shown = "?" + shown[1:]
    return shown if len(offered) <= _SHOWN_CHARS else f"{shown}… [{len(offered)} characters]"


def _continue(
    trace: TraceParent | None, states: list[str]
) -> tuple[TraceState, str | None, tuple[str, ...]]:
    """Return the state to send on, the caller's narrating span, and the causes."""
    if trace is None:
        # "If the vendor failed to parse traceparent, it MUST NOT attempt to parse tracestate."
        return TraceState("", new_trace_id(), SAMPLED | RANDOM), None, ()
    caller_span = trace.parent_id
    cause: tuple[str, ...] = ()
    text = ""
    if len(states) == 1 and (alone := _member_alone(states[0])):
        cause, caller_span = tuple(alone[1].split(";")), alone[2] or caller_span
    elif states:
        members = parse_tracestate(states) or ()
        others: list[Member] = []
        for member in members:
            if member[0] != MEMBER_KEY:
                others.append(member)
                continue
            *ids, last = member[1].split(";")
            if last.startswith("p:") and is_span_id(last[2:]):
                caller_span = last[2:]
            else:
                ids.append(last)
            cause = tuple([known for known in ids[:MAX_CAUSES] if is_event_id(known)])
        text = format_tracestate(others)
        if len(text) > MAX_STATE_CHARS:
            text = format_tracestate(fit_members(tuple(others)))
    return TraceState(text, trace.trace_id, trace.flags), caller_span, cause
