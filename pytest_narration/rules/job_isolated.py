"""``job-isolated``: a job's stream carries only events of its own job tree and correlation id.

The tree is the stream's job and its descendants. A job whose ancestors were not all seen cannot be
placed; it is judged by its correlation id, and ``job-linked`` reports the missing link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .evidence import Record
from .facts import Facts
from .jobs import Job, JobTree
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, named, quoted, who

__all__ = ["job_isolated"]


@rule(
    "job-isolated",
    title="a job's stream carries only events of its own job tree and correlation id",
    hint=(
        "put an event on the stream of the job that it was narrated in, never on a shared one; an "
        "event without a job id goes to stdout only (isolation before completeness)"
    ),
)
def job_isolated(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each event on a stream that is not its own."""
    if not evidence.sse:
        yield Note("no event was seen on a stream, so none could be on the wrong one")
        return
    # A source that did not learn its stream's job is judged by what it delivered first.
    nameless: dict[str, Record] = {}
    placed: dict[tuple[str | None, str], bool] = {}
    for record in evidence.sse:
        event = record.event
        if record.stream is None:
            first = nameless.setdefault(record.source, record)
            if event.correlation_id != first.event.correlation_id:
                yield _mixed(record, first)
            continue
        key = (event.job_id, record.stream)
        if key not in placed:
            placed[key] = _is_at_home(event.job_id, record.stream, evidence.tree)
        stream = evidence.job(record.stream)
        if not placed[key] or not _is_same_request(record, stream):
            yield _leak(record, stream)


def _is_at_home(job_id: str | None, stream: str, tree: JobTree) -> bool:
    if job_id is None:
        return False
    if tree.is_within(job_id, stream):
        return True
    # Its topmost known ancestor was never narrated: the link up to the stream's job may be there.
    root = tree.root(job_id)
    return job_id in tree and root not in tree


def _is_same_request(record: Record, stream: Job | None) -> bool:
    found = record.event.correlation_id
    return stream is None or not stream.correlations or not found or found in stream.correlations


def _owner(record: Record, stream: Job | None) -> str:
    if stream is None:
        return f"job {quoted(record.stream)}"
    of = f", correlation {quoted(stream.correlation_id)}" if stream.correlations else ""
    return f"{stream.service}'s job {quoted(stream.id)}{of}"


def _leak(record: Record, stream: Job | None) -> Violation:
    event = record.event
    hop = between(
        event, stream.service if stream is not None else f"stream {quoted(record.stream)}"
    )
    if hop.startswith("within"):
        hop = f"{hop}, between its jobs"
    if event.job_id is None:
        said = (
            f"{named(event)} narrated {event.action} without a job_id, so it belongs to no stream"
        )
    else:
        said = f"{named(event)} narrated {event.action} in job {quoted(event.job_id)}"
        if event.correlation_id:
            said += f" of correlation {quoted(event.correlation_id)}"
    return Violation(
        f"cross-talk {hop}: the stream of {_owner(record, stream)} carried an event that is not "
        f"its own; {said}",
        tuple(_proof(record, stream)),
        (event,),
        hop,
        source=record.source,
    )


def _proof(record: Record, stream: Job | None) -> Iterator[str]:
    by = f", read by {record.source}" if record.source else ""
    yield f"on the stream of job {quoted(record.stream)}{by}:"
    yield line(record.event, "correlation_id", "job_id", "parent_job_id")
    if stream is not None:
        yield f"the stream's own: {line(stream.first)}"


def _mixed(record: Record, first: Record) -> Violation:
    event = record.event
    hop = between(event, f"the stream that {record.source or 'the test'} read")
    return Violation(
        f"cross-talk {hop}: {named(event)} narrated {event.action} of correlation "
        f"{quoted(event.correlation_id)} on a stream that began with "
        f"{who(first.event)}'s correlation {quoted(first.event.correlation_id)}",
        (line(first.event), line(event)),
        (event,),
        hop,
        source=record.source,
    )
