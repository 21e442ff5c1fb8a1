"""``job-linked``: every ``parent_job_id`` resolves, and the jobs of a request form one tree.

Broken by a parent that nobody narrated, by a parent that belongs to another request (swapped job
ids), by a job with two parents, by a ring, and by a second root: a service in the middle of a
request whose job names no parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..event import Event
from .facts import Facts
from .jobs import Job
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, listed, named, quoted, who

__all__ = ["job_linked"]


@rule(
    "job-linked",
    title="every parent_job_id resolves and the jobs of a request form one tree",
    hint=(
        "send the caller's own job id with the call (header X-Parent-Job-Id; in Python "
        "`inject(headers)`) and log it on the other side as parent_job_id, or parentJobId (in "
        "Python `extract(headers).context(job_id=new_id())`)"
    ),
)
def job_linked(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each job whose place in a tree is wrong."""
    tree = evidence.tree
    if not tree.jobs and not any(event.parent_job_id for event in evidence.events()):
        yield Note("no event carries a job id, so there is no tree to judge")
        return
    for ring in tree.cycles():
        # A job that is its own parent is the business of job-own.
        if len(ring) > 1:
            yield _ring([tree.jobs[job_id] for job_id in ring])
    for job in tree.jobs.values():
        if len(job.parents) > 1:
            yield _two_parents(job)
        for parent_id, event in job.parents.items():
            yield from _judge_parent(job, parent_id, event, evidence)
    yield from _second_roots(evidence)


def _ring(jobs: list[Job]) -> Violation:
    path = " → ".join(f"{job.service}'s {quoted(job.id)}" for job in (*jobs, jobs[0]))
    hop = between(jobs[1].first, jobs[0].first)
    return Violation(
        f"jobs are each other's parents {hop}: {path}",
        tuple(line(job.parents[str(job.parent)]) for job in jobs[:4]),
        tuple(job.parents[str(job.parent)] for job in jobs),
        hop,
    )


def _two_parents(job: Job) -> Violation:
    events = list(job.parents.values())
    hop = between(None, events[0])
    return Violation(
        f"job {quoted(job.id)} of {who(events[0])} names {len(events)} parents: "
        f"{listed(job.parents)}",
        tuple(line(event) for event in events[:3]),
        tuple(events[1:]),
        hop,
        "a job is made for one call; narrate another call under a job id of its own",
    )


def _judge_parent(job: Job, parent_id: str, event: Event, evidence: Facts) -> Iterator[Violation]:
    parent = evidence.job(parent_id)
    if parent is None:
        if parent_id not in evidence.given_jobs:
            yield _unresolved(job, parent_id, event, evidence)
    elif (
        job.correlations
        and parent.correlations
        and job.correlations.keys().isdisjoint(parent.correlations)
    ):
        yield _of_another_request(job, parent, event, evidence)


def _unresolved(job: Job, parent_id: str, event: Event, evidence: Facts) -> Violation:
    caller = evidence.upstream_by_cause(event)
    proof = [line(event)]
    if caller is not None:
        proof.append(f"its caller's job is {quoted(caller.job_id)}: {line(caller)}")
    hop = between(caller, event)
    return Violation(
        f"parent job unknown {hop}: {named(event)} narrated {event.action} in job "
        f"{quoted(job.id)} with parent_job_id {quoted(parent_id)}, under which nobody narrated",
        tuple(proof),
        (event,),
        hop,
    )


def _of_another_request(job: Job, parent: Job, event: Event, evidence: Facts) -> Violation:
    own, other = quoted(job.correlation_id), quoted(parent.correlation_id)
    hop = between(parent.first, event)
    right = evidence.jobs_under.get((job.correlation_id, parent.service), [])
    proof = [f"parent job {quoted(parent.id)} belongs to {parent.service}'s correlation {other}"]
    if right:
        proof.append(f"{parent.service}'s job of correlation {own} is {listed(right)}")
    what = "job ids swapped" if right else "job linked to another request"
    return Violation(
        f"{what} {hop}: {named(event)} narrated {event.action} in job {quoted(job.id)} of "
        f"correlation {own} with parent_job_id {quoted(parent.id)}, which belongs to {other}",
        (*proof, line(event), line(parent.first)),
        (event,),
        hop,
    )


def _second_roots(evidence: Facts) -> Iterator[Violation]:
    """Find jobs without a parent in requests that another service's job began."""
    roots: dict[str, list[Job]] = {}
    for job in evidence.tree.jobs.values():
        if not job.parents and job.correlation_id is not None:
            roots.setdefault(job.correlation_id, []).append(job)
    for correlation_id, jobs in roots.items():
        if len({job.service for job in jobs}) == 1:
            continue
        callers = {job.id: evidence.upstream_by_cause(job.first) for job in jobs}
        # The true root is not called by another service; links say who is, arrival order guesses.
        true = next((job for job in jobs if callers[job.id] is None), jobs[0])
        for job in jobs:
            if job.service != true.service:
                yield _second_root(job, true, callers[job.id], correlation_id)


def _second_root(job: Job, true: Job, caller: Event | None, correlation_id: str) -> Violation:
    source = caller if caller is not None else true.first
    hop = between(source, job.first)
    known = quoted(source.job_id) if source.job_id else quoted(true.id)
    return Violation(
        f"parent job id lost {hop}: {named(job.first)} narrated {job.first.action} in job "
        f"{quoted(job.id)} without parent_job_id, in correlation {quoted(correlation_id)} that "
        f"{true.service}'s job {quoted(true.id)} began",
        (f"{who(source)}'s job is {known}", line(job.first, "parent_job_id"), line(source)),
        (job.first,),
        hop,
    )
