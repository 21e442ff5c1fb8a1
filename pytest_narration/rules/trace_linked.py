"""``trace-linked``: one trace id along the hops of a request, and every parent span resolves.

A root job may carry several traces, since a client may call it more than once (start it, cancel
it); what it calls must stay in one of them. Parent spans of the entry service are the client's,
and of those nobody narrates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..event import Event
from .facts import Facts
from .jobs import Job
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, listed, named, quoted, who

__all__ = ["trace_linked"]


@rule(
    "trace-linked",
    title="one trace id on all hops of a request, and every parent span resolves",
    hint=(
        "send the header traceparent with every call and take it on the other side "
        "(OpenTelemetry's instrumentations do both, in Python `inject(headers)` and "
        "`extract(headers)` too); a proxy or a queue between the two must pass it on"
    ),
)
def trace_linked(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each hop that leaves the trace, and each span without a parent."""
    if not any(event.trace_id for event in evidence.events()):
        yield Note("no event carries a trace id, so there is no trace to follow")
        return
    with_parent = False
    for job in evidence.tree.jobs.values():
        for parent_id in job.parents:
            parent = evidence.job(parent_id)
            if parent is not None and parent is not job:
                with_parent = True
                yield from _against_parent(job, parent)
    if not with_parent:
        yield from _without_jobs(evidence)
    yield from _unresolved(evidence)


def _against_parent(job: Job, parent: Job) -> Iterator[Violation]:
    if not parent.traces:
        return
    expected, source = next(iter(parent.traces.items()))
    if not job.traces:
        yield _lost(source, job.first, expected)
    for found, event in job.traces.items():
        if found not in parent.traces:
            yield _lost(source, event, expected)


def _lost(source: Event, event: Event, expected: str) -> Violation:
    hop = between(source, event)
    instead = f"in trace {quoted(event.trace_id)}" if event.trace_id else "without trace_id"
    return Violation(
        f"trace lost {hop}: {named(event)} narrated {event.action} {instead} instead of "
        f"{quoted(expected)}, {who(source)}'s trace",
        (line(source, "trace_id"), line(event, "trace_id")),
        (event,),
        hop,
    )


def _without_jobs(evidence: Facts) -> Iterator[Violation]:
    """Compare the services of one correlation where no jobs tell who called whom."""
    requests: dict[str, dict[str, dict[str, Event]]] = {}
    for event in evidence.events():
        if event.correlation_id and event.trace_id:
            services = requests.setdefault(event.correlation_id, {})
            services.setdefault(who(event), {}).setdefault(event.trace_id, event)
    for services in requests.values():
        (entry, known), *others = services.items()
        shared = set(known)
        for _, traces in others:
            for found, event in traces.items():
                if found not in shared:
                    expected, source = next(iter(known.items()))
                    assert who(source) == entry
                    yield _lost(source, event, expected)


def _unresolved(evidence: Facts) -> Iterator[Violation]:
    sent = {h["traceparent"] for h in evidence.sent_headers if "traceparent" in h}
    given = {value.split("-")[2] for value in sent if value.count("-") >= 3}
    missing: dict[tuple[str, str, str], Event] = {}
    entries: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for event in evidence.events():
        trace, span = event.trace_id, event.parent_span_id
        if trace is None:
            continue
        first.setdefault(trace, who(event))
        job = evidence.tree.get(event.job_id)
        if job is not None and not job.parents:
            entries.setdefault(trace, set()).add(who(event))
        if span is not None and span not in evidence.spans and span not in given:
            missing.setdefault((trace, who(event), span), event)
    outside = _spans_of_whole(evidence) if missing else set()
    for (trace, service, span), event in missing.items():
        if service in entries.get(trace, {first[trace]}) or span in outside:
            continue
        caller = evidence.upstream(event)
        hop = between(caller, event)
        others = listed(sorted(entries.get(trace, {first[trace]})))
        yield Violation(
            f"parent span unknown {hop}: {named(event)} narrated {event.action} in trace "
            f"{quoted(trace)}, which began at {others}, with parent_span_id {quoted(span)}, in "
            "which nobody narrated",
            (line(event), *([line(caller, "span_id")] if caller is not None else [])),
            (event,),
            hop,
            "the caller must send the span that it narrates in; a span that narrates nothing "
            "breaks the chain",
        )


def _spans_of_whole(evidence: Facts) -> set[str]:
    if evidence.whole is None:
        return set()
    return {event.span_id for event in evidence.whole.events() if event.span_id is not None}
