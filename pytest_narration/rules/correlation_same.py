"""``correlation-same``: one correlation id on all hops of a request.

Hops are found from three links that survive when the id itself is lost: the parent job, the
parent span, and causes at another emitter. Only the hop where the id changed is reported; further
hops that pass the wrong id on are in order. Where services log no link at all, the option ``hops``
says who calls whom: an id that the called one narrates and none of its callers was lost there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import ConfigurationError
from ..event import Event
from .facts import Facts, emitter
from .jobs import Job
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, listed, named, quoted, who

__all__ = ["correlation_same"]

_Crossing = frozenset[tuple[str, str]]
"""The two sides of a hop, each with its id: the way back differs where the way there did."""


@rule(
    "correlation-same",
    title="one correlation id on all hops of a request",
    hint=(
        "send the id on with every call (header X-Correlation-Id; in Python `inject(headers)`, or "
        "the client hooks), and take it from the request on the other side before anything is "
        "logged (in Python `extract(headers)`); make an id only where no caller gave one"
    ),
)
def correlation_same(evidence: Facts, *, hops: Sequence[Sequence[str]] = ()) -> Iterable[Finding]:
    """Yield one violation for each job, link or hop on which the id changes.

    :param hops: ``[caller, called]`` services, such as ``["shop", "stock"]``, for services whose
        events name neither parent jobs nor spans nor causes.
    """
    hops = _checked(hops)
    if not any(event.correlation_id for event in evidence.events()):
        yield Note("no event carries a correlation id, so none could be compared")
        return
    told: set[_Crossing] = set()
    for job in evidence.tree.jobs.values():
        if len(job.correlations) > 1:
            yield _two_in_one(job)
        yield from _against_parents(job, evidence, told)
    for event in evidence.events():
        if event.correlation_id and (event.cause or event.parent_span_id):
            yield from _against_links(event, evidence, told)
    yield from _across(hops, evidence, told)


def _two_in_one(job: Job) -> Violation:
    (first_id, first), *others = job.correlations.items()
    other = others[0][1]
    hop = between(first, other)
    return Violation(
        f"job {quoted(job.id)} carries {len(job.correlations)} correlation ids {hop}: "
        f"{named(other)} narrated {other.action} with {quoted(other.correlation_id)} instead of "
        f"{quoted(first_id)}",
        (line(first), *(line(event) for _, event in others[:3])),
        tuple(event for _, event in others),
        hop,
        "narrate each request in its own context; a context that leaks into another task or a "
        "pooled thread takes the ids along",
    )


def _against_parents(job: Job, evidence: Facts, told: set[_Crossing]) -> Iterator[Violation]:
    for parent_id in job.parents:
        parent = evidence.job(parent_id)
        if parent is None or parent is job or not parent.correlations:
            continue
        for found, event in job.correlations.items():
            if found in parent.correlations:
                continue
            expected = parent.correlation_id
            source = parent.correlations[str(expected)]
            told.add(frozenset(((who(source), str(expected)), (who(event), found))))
            about = (
                f"parent job {quoted(parent_id)} belongs to {who(source)}'s correlation "
                f"{quoted(expected)}"
            )
            yield _changed(source, event, evidence, about)


def _against_links(event: Event, evidence: Facts, told: set[_Crossing]) -> Iterator[Violation]:
    links = [("its cause", cause, evidence.by_id.get(cause)) for cause in event.cause]
    if span := event.parent_span_id:
        links.append(("its parent span", span, evidence.spans.get(span)))
    found = event.correlation_id
    for kind, link, source in links:
        if source is None or source.correlation_id == found or not source.correlation_id:
            continue
        if emitter(source) == emitter(event):
            continue
        expected = source.correlation_id
        crossing = frozenset(((who(source), expected), (who(event), str(found))))
        if crossing not in told:
            told.add(crossing)
            of = f"belongs to {who(source)}'s correlation {quoted(expected)}"
            yield _changed(source, event, evidence, f"{kind} {quoted(link)} {of}")


def _across(
    hops: Sequence[Sequence[str]], evidence: Facts, told: set[_Crossing]
) -> Iterator[Violation]:
    callers: dict[str, list[str]] = {}
    for caller, called in hops:
        callers.setdefault(called, []).append(caller)
    if not callers:
        return
    narrated: dict[str, dict[str, Event]] = {}
    for event in (evidence.whole or evidence).events():
        if event.correlation_id:
            narrated.setdefault(who(event), {}).setdefault(event.correlation_id, event)
    mine = {event.correlation_id for event in evidence.events()}
    given = _given(evidence)
    blamed = {side for crossing in told for side in crossing}
    for called, sources in callers.items():
        known = given.union(*(narrated.get(source, ()) for source in sources))
        for found, event in narrated.get(called, {}).items():
            if found in known or found not in mine or (called, found) in blamed:
                continue
            source = " or ".join(sources)
            hop = between(source, event)
            yield Violation(
                f"correlation id lost {hop}: {named(event)} narrated {event.action} with "
                f"{quoted(found)}, an id that {source} never narrated",
                (line(event), f"{source} narrated under {_ids_of(sources, narrated, mine)}"),
                (event,),
                hop,
            )


def _checked(hops: Sequence[Sequence[str]]) -> Sequence[tuple[str, str]]:
    if any(
        isinstance(hop, str) or len(hop) != 2 or not all(isinstance(name, str) for name in hop)
        for hop in hops
    ):
        raise ConfigurationError(
            "option 'hops' of rule 'correlation-same' must be a list of [caller, called] services, "
            f'such as [["shop", "stock"]], not {hops!r}'
        )
    return [(caller, called) for caller, called in hops]


def _ids_of(
    sources: Sequence[str], narrated: dict[str, dict[str, Event]], mine: set[str | None]
) -> str:
    return listed([i for s in sources for i in narrated.get(s, ()) if i in mine]) or "no id"


def _given(evidence: Facts) -> set[str]:
    """Return ids that the test sent or was answered: a call of its own needs no caller."""
    sides = (h for e in evidence.exchanges for h in (e.request_headers, e.response_headers))
    names = ("x-correlation-id", "x-request-id")
    return {headers[name] for headers in sides for name in names if name in headers}


def _changed(source: Event, event: Event, evidence: Facts, about: str) -> Violation:
    hop = between(source, event)
    found, expected = quoted(event.correlation_id), quoted(source.correlation_id)
    narrated = f"{named(event)} narrated {event.action} with {found} instead of {expected}"
    proof = [about, line(source), line(event)]
    known = _jobs_under(event.correlation_id, who(source), evidence)
    if known:
        proof.insert(1, f"{who(source)}'s own job of {found} is {listed(known)}")
        title = f"correlation ids crossed {hop}: {narrated}, and {found} is another request's id"
    else:
        title = f"correlation id lost {hop}: {narrated}"
    return Violation(title, tuple(proof), (event,), hop)


def _jobs_under(correlation_id: str | None, service: str, evidence: Facts) -> list[str]:
    return evidence.jobs_under.get((correlation_id, service), [])
