"""Correlation ids, job ids and traces: one request on all its hops.

``the request`` is the latest one; its correlation id is the one that its answer carries, else the
one that was sent.
"""

from __future__ import annotations

from ..errors import StepFailed
from .judging import judge
from .observed import Observed
from .phrase import given, then
from .scene import Scene
from .selection import Selection
from .values import Expected


@then(
    "the request's correlation id is {value}",
    example='Then the request\'s correlation id is "checkout-7f3a"',
)
def _id_is(expected: Expected, narration_scene: Scene) -> None:
    """Judge the id that the answer carries; ``is a UUID`` serves for fresh ones."""
    found = narration_scene.correlation_id
    if not expected.accepts(found):
        sent = narration_scene.sent_with.get("X-Correlation-Id")
        where = (
            f"; {sent!r} was sent as X-Correlation-Id and X-Request-Id: if the service reads "
            'another header, say so with `my requests carry the header "…" with "…"`'
            if sent is not None and sent != found
            else ""
        )
        raise StepFailed(f"expected the correlation id {expected!r}, found {found!r}{where}")


@then("the answer carries the correlation id", example="Then the answer carries the correlation id")
def _echoed(narration_scene: Scene) -> None:
    """Look for ``X-Correlation-Id`` or ``X-Request-Id``, with what was sent, if it was."""
    answer = narration_scene.answer
    found = [answer.response.headers.get(name) for name in ("X-Correlation-Id", "X-Request-Id")]
    sent = answer.response.request.headers.get("X-Correlation-Id")
    if not any(found) or (sent and sent not in found):
        wanted = f"the correlation id {sent!r}" if sent else "a correlation id"
        raise StepFailed(
            f"expected the answer to carry {wanted}; headers: "
            f"X-Correlation-Id {found[0]!r}, X-Request-Id {found[1]!r}. {answer}"
        )


@then(
    "the request is narrated by {names}",
    example='Then the request is narrated by "shop", "stock" and "bank"',
)
def _narrated_by(names: list[str], narration_scene: Scene) -> None:
    """Wait until each of the services has said something under the request's correlation id."""
    correlation_id = narration_scene.correlation_id
    for service in names:
        narration_scene.narration.wait_for(
            timeout=narration_scene.patience, service=service, correlation_id=correlation_id
        )


@then(
    "every event of the request carries its correlation id",
    example="Then every event of the request carries its correlation id",
)
def _every_event(narration_scene: Scene) -> None:
    """Judge by the rules ``correlation-present`` and ``correlation-same``."""
    Observed(narration_scene).wait(_REQUEST)
    judge(narration_scene, ["correlation-present", "correlation-same"])


@then(
    "{event} carries the request's correlation id",
    example='Then the event "paid" of "bank" carries the request\'s correlation id',
)
def _carries(described: Selection, narration_scene: Scene) -> None:
    """Wait for such an event under the request's correlation id."""
    correlation_id = narration_scene.correlation_id
    Observed(narration_scene).wait(described, correlation_id=correlation_id)


@then(
    "every request has a correlation id of its own",
    example="Then every request has a correlation id of its own",
)
def _unique(narration_scene: Scene) -> None:
    """Compare the ids of all answers of this scenario."""
    found = [answer.correlation_id for answer in narration_scene.answers]
    repeated = sorted({str(c) for c in found if c is not None and found.count(c) > 1})
    if repeated or None in found:
        missing = f"{found.count(None)} of {len(found)} have none" if None in found else ""
        shared = f"shared: {', '.join(repeated)}" if repeated else ""
        raise StepFailed(
            "expected every request to have a correlation id of its own; "
            + "; ".join(filter(None, (missing, shared)))
        )


@then(
    "{names} each have a job id of their own",
    example='Then "shop", "stock" and "bank" each have a job id of their own',
)
def _own_jobs(names: list[str], narration_scene: Scene) -> None:
    """Judge by the rule ``job-own``; each service must have narrated the request with a job id."""
    jobs = {service: _job_of(narration_scene, service) for service in names}
    if len(set(jobs.values())) < len(jobs):
        shown = ", ".join(f"{service}: {job}" for service, job in jobs.items())
        raise StepFailed(f"expected a job id for each service of its own; found {shown}")
    judge(narration_scene, ["job-own"])


@then(
    "the job of {string} belongs to the job of {string}",
    example='Then the job of "bank" belongs to the job of "shop"',
)
def _belongs(child: str, parent: str, narration_scene: Scene) -> None:
    """Compare the ``parent_job_id`` of one service's job with the other's job id."""
    job, owner = (_job_of(narration_scene, service) for service in (child, parent))
    events = narration_scene.narration.events(service=child, job_id=job)
    parents = {event.parent_job_id for event in events if event.parent_job_id}
    if parents != {owner}:
        found = ", ".join(sorted(parents)) or "none"
        raise StepFailed(
            f'expected the job {job} of "{child}" to have the parent {owner}, the job of '
            f'"{parent}"; its parent is: {found}'
        )


@then(
    "the jobs of the request form one tree",
    example="Then the jobs of the request form one tree",
)
def _tree(narration_scene: Scene) -> None:
    """Judge by the rule ``job-linked``: every parent job exists, and there is one root."""
    Observed(narration_scene).wait(_REQUEST)
    judge(narration_scene, ["job-linked"])


def _job_of(scene: Scene, service: str) -> str:
    found = Observed(scene).wait_pattern(
        Observed(scene).pattern(_REQUEST, service=service, job_id=Expected("present"))
    )
    return str(found[-1].event.job_id)


@given("my requests carry a trace", example="Given my requests carry a trace")
def _trace(narration_scene: Scene) -> None:
    """Send a fresh ``traceparent`` (W3C Trace Context) with every following request."""
    from ..emit.tracecontext import SAMPLED, format_traceparent, new_span_id, new_trace_id

    trace_id = new_trace_id()
    narration_scene.saved["trace_id"] = trace_id
    narration_scene.sent_with["traceparent"] = format_traceparent(trace_id, new_span_id(), SAMPLED)


@then(
    "every event of the request is in my trace",
    example="Then every event of the request is in my trace",
)
def _in_trace(narration_scene: Scene) -> None:
    """Compare the trace ids with the one that ``my requests carry a trace`` sent."""
    if "trace_id" not in narration_scene.saved:
        from ..errors import StepMistake

        raise StepMistake("no trace was sent: begin with `Given my requests carry a trace`")
    wanted = narration_scene.saved["trace_id"]
    observed = Observed(narration_scene)
    observed.wait(_REQUEST)
    observed.settled()
    events = observed.events(_REQUEST)
    wrong = [f"  {e.service} {e.action}: {e.trace_id}" for e in events if e.trace_id != wanted]
    if wrong:
        raise StepFailed("\n".join([f"expected the trace {wanted}; found:", *wrong[:10]]))


@then("the request is one trace", example="Then the request is one trace")
def _one_trace(narration_scene: Scene) -> None:
    """Judge by the rule ``trace-linked``: one trace id, and every parent span resolves."""
    Observed(narration_scene).wait(_REQUEST)
    judge(narration_scene, ["trace-linked"])


_REQUEST = Selection("any event for the request", scope="request")
