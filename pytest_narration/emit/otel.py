"""The running OpenTelemetry span -> the ids of a narration context.

Optional in both directions: a process that never imported ``opentelemetry`` has no current span
and pays one dictionary look-up; narration works the same without it. Spans are made only when
asked; baggage is left alone. Used by :mod:`.incoming`, :mod:`.outgoing`, the middleware and the
client hooks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import msgspec

from ..errors import MissingExtra
from .tracecontext import FLAGS_MASK

__all__ = [
    "RunningSpan",
    "begin_call",
    "calling",
    "current_ids",
    "current_span",
    "mark_failed",
    "require",
    "serving",
]

_NOTHING: Final = nullcontext()

_CALLING_KINDS: Final = frozenset({"CLIENT", "PRODUCER"})


class RunningSpan(msgspec.Struct, frozen=True):
    """A span of this process, sampled or not."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    flags: int
    """W3C trace flags: sampled, random."""
    tracestate: str
    """The span's own ``tracestate``, empty when it has none; it may hold the caller's ours."""
    is_call: bool
    """The span stands for one outgoing call (kind CLIENT or PRODUCER)."""


def current_ids() -> tuple[str, str, int] | None:
    """Return ``(trace_id, span_id, flags)`` of the current span, ``None`` without one."""
    span = current_span()
    return None if span is None else (span.trace_id, span.span_id, span.flags)


def current_span() -> RunningSpan | None:
    """Return the current span when it is valid and was made here, ``None`` otherwise.

    A span that is not sampled counts: its trace goes on, and says that it is not. The caller's
    span does not: it stands for the trace only until a span is made here.

    Never raises: a broken tracing set-up must not break the request.
    """
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        span = api.get_current_span()
        ids = span.get_span_context()
        if not ids.is_valid or ids.is_remote:
            return None
        # Only the SDK's recording spans say their kind; the API does not demand it.
        kind = getattr(getattr(span, "kind", None), "name", "")
        return running(ids, is_call=kind in _CALLING_KINDS)
    except Exception:  # foreign code: any span processor or custom span may raise
        return None


def running(ids: Any, *, is_call: bool) -> RunningSpan:
    """Return OpenTelemetry's ``SpanContext`` as text."""
    return RunningSpan(
        trace_id=f"{ids.trace_id:032x}",
        span_id=f"{ids.span_id:016x}",
        flags=int(ids.trace_flags) & FLAGS_MASK,
        tracestate=ids.trace_state.to_header() if ids.trace_state else "",
        is_call=is_call,
    )


def require() -> Any:
    """Return the module ``opentelemetry.trace``.

    :raises MissingExtra: it is not installed.
    """
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise MissingExtra("opentelemetry-api", "otel") from error
    return trace


def serving(
    trace_id: str, parent_id: str | None, flags: int, tracestate: str, span_name: str | None
) -> AbstractContextManager[None]:
    """Continue the caller's trace for the spans that are made while a request is served.

    A span that is already current, as from OpenTelemetry's own instrumentation, is left alone;
    a caller that was read already is continued.

    :param parent_id: the caller's span; ``None`` when the trace starts here, and then the first
        span is a root that the process's own sampler decides about.
    :param span_name: make a server span of this name; ``None`` makes none.
    """
    if span_name is None and (parent_id is None or "opentelemetry.trace" not in sys.modules):
        return _NOTHING
    return _serving(trace_id, parent_id, flags, tracestate, span_name)


@contextmanager
def _serving(
    trace_id: str, parent_id: str | None, flags: int, tracestate: str, span_name: str | None
) -> Iterator[None]:
    from opentelemetry import context as otel_context

    api = require()
    current = api.get_current_span().get_span_context()
    if current.is_valid and (span_name is None or not current.is_remote):
        yield
        return
    parent = otel_context.get_current()
    if parent_id is not None and not current.is_valid:
        ids = api.SpanContext(
            int(trace_id, 16),
            int(parent_id, 16),
            is_remote=True,
            trace_flags=api.TraceFlags(flags),
            trace_state=api.TraceState.from_header([tracestate]),
        )
        parent = api.set_span_in_context(api.NonRecordingSpan(ids), parent)
    if span_name is not None:
        tracer = api.get_tracer("pytest_narration")
        with tracer.start_as_current_span(span_name, parent, kind=api.SpanKind.SERVER):
            yield
        return
    token = otel_context.attach(parent)
    try:
        yield
    finally:
        otel_context.detach(token)


def begin_call(
    span_name: str, inside: Callable[[], object]
) -> Callable[[BaseException | None], None]:
    """Start a client span that is current only while ``inside`` runs, and return what ends it.

    For clients that report a call's beginning and end by call-backs. What is returned takes the
    exception that the call failed with.
    """
    api = require()
    span = api.get_tracer("pytest_narration").start_span(span_name, kind=api.SpanKind.CLIENT)

    def end(error: BaseException | None) -> None:
        if error is not None:
            _mark_failed(span, error)
        span.end()

    with api.use_span(span):
        inside()
    return end


def mark_failed(error: BaseException) -> None:
    """Write an exception into the current span: for a request that is answered all the same."""
    _mark_failed(require().get_current_span(), error)


def _mark_failed(span: Any, error: BaseException) -> None:
    span.record_exception(error)
    span.set_status(require().StatusCode.ERROR, type(error).__name__)


def calling(span_name: str | None) -> AbstractContextManager[Any]:
    """Make a client span around one outgoing call; nothing when ``span_name`` is ``None``."""
    if span_name is None:
        return _NOTHING
    api = require()
    span: AbstractContextManager[Any] = api.get_tracer("pytest_narration").start_as_current_span(
        span_name, kind=api.SpanKind.CLIENT
    )
    return span
