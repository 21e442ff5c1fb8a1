"""``job-own``: each service has its own job id.

A job id is local to the service that made it: it routes a stream and isolates jobs. A service that
narrates under its caller's id, or under any other service's, breaks both.
"""

from __future__ import annotations

from collections.abc import Iterable

from .facts import Facts
from .jobs import Job
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, listed, named, quoted, who

__all__ = ["job_own"]


@rule(
    "job-own",
    title="each service has its own job id",
    hint=(
        "make a job id where the service accepts the work (a UUID; in Python `new_id()`), log "
        "under it, and put the caller's id into parent_job_id"
    ),
)
def job_own(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each job id that two services use."""
    if not evidence.tree.jobs:
        yield Note("no event carries a job id, so none could be compared")
    for job in evidence.tree.jobs.values():
        if len(job.services) > 1:
            yield _shared(job)
        elif job.id in job.parents:
            yield _of_its_caller(job, evidence)


def _shared(job: Job) -> Violation:
    # The service that names this very id as its parent's took it over; else the later arrival did.
    copying = job.parents.get(job.id)
    owner, *others = sorted(
        job.services.values(), key=lambda event: copying is not None and who(event) == who(copying)
    )
    taker = others[0]
    hop = between(owner, taker)
    return Violation(
        f"job id {quoted(job.id)} is used by {listed(map(who, (owner, *others)))}: "
        f"{named(taker)} narrated {taker.action} under {who(owner)}'s job id instead of its own",
        (line(owner), *(line(event) for event in others[:3])),
        tuple(others),
        hop,
    )


def _of_its_caller(job: Job, evidence: Facts) -> Violation:
    event = job.parents[job.id]
    upstream = evidence.upstream(event)
    other = upstream if upstream is not None and upstream is not job.first else None
    hop = between(other, event)
    return Violation(
        f"{named(event)} narrated {event.action} with its parent's job id {quoted(job.id)} as its "
        "own",
        (line(event),),
        (event,),
        hop,
    )
