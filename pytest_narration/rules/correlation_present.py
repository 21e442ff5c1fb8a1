"""``correlation-present``: every event inside a request has a correlation id.

An event is inside a request when it carries a job id or a parent job id, was seen on a job's
stream, or belongs to a span whose caller narrated under a correlation id. Lifecycle events have
none of these and need no id.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..event import Event
from .facts import Facts, emitter
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, named, plural, quoted, who

__all__ = ["correlation_present"]


@rule(
    "correlation-present",
    title="every event inside a request has a correlation id",
    hint=(
        "bind the id where the request enters the service (a child logger, AsyncLocalStorage, a "
        "context.Context, MDC; in Python `extract(headers).context()`), and carry it into the "
        "threads, tasks and callbacks that the request starts"
    ),
)
def correlation_present(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each emitter and job whose events lack the id."""
    lost: dict[tuple[object, ...], list[Event]] = {}
    streamed = {record.event.event_id or id(record.event) for record in evidence.sse}
    inside = 0
    for event in evidence.events():
        if event.correlation_id:
            inside += 1
        elif _is_inside(event, evidence) or (event.event_id or id(event)) in streamed:
            inside += 1
            key = (event.service, event.instance, event.job_id or event.span_id)
            lost.setdefault(key, []).append(event)
    if not inside:
        yield Note("no event is inside a request, so none needs a correlation id")
    for events in lost.values():
        yield _violation(events, evidence)


def _is_inside(event: Event, evidence: Facts) -> bool:
    if event.job_id or event.parent_job_id:
        return True
    if not event.parent_span_id:
        return False
    caller = evidence.spans.get(event.parent_span_id)
    return caller is not None and bool(caller.correlation_id) and emitter(caller) != emitter(event)


def _violation(events: list[Event], evidence: Facts) -> Violation:
    first = events[0]
    proof = [line(event, "correlation_id") for event in events[:3]]
    job = evidence.tree.get(first.job_id)
    said = f"{named(first)} narrated {first.action} without correlation_id"
    if len(events) > 1:
        said += f", as {plural(len(events) - 1, 'more event')} of the same job"
    if job is not None and (own := job.correlation_id):
        # Some of the job's events have the id: it arrived, and was lost inside the service.
        hop = between(first, first)
        proof.insert(0, f"other events of job {quoted(job.id)} carry {quoted(own)}")
        return Violation(f"correlation id lost {hop}: {said}", tuple(proof), tuple(events), hop)
    upstream = evidence.upstream(first)
    hop = between(upstream, first)
    if upstream is not None and upstream.correlation_id:
        expected = quoted(upstream.correlation_id)
        said += f" although {who(upstream)} called it with {expected}"
        if upstream.job_id is not None and job is not None and upstream.job_id in job.parents:
            proof.insert(
                0,
                f"parent job {quoted(upstream.job_id)} belongs to {who(upstream)}'s "
                f"correlation {expected}",
            )
        proof.insert(1, line(upstream))
    return Violation(f"correlation id lost {hop}: {said}", tuple(proof), tuple(events), hop)
