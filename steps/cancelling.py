"""A client that changes its mind, early, late, or twice."""

from __future__ import annotations

import json

from pytest_bdd import parsers, then, when

from harness.cluster import Job

from .scene import STREAM_SECONDS, Scene


def cancel(scene: Scene, job: Job) -> None:
    """Ask for the end of a job."""
    scene.response = scene.cluster.client().post(f"/v1/jobs/{job.job_id}/cancel")


@when("the client cancels the job")
def _cancel(scene: Scene) -> None:
    cancel(scene, scene.job)


@when("the client cancels the job twice")
def _twice(scene: Scene) -> None:
    for _ in range(2):
        cancel(scene, scene.job)
        assert scene.response is not None
        scene.answers.append(scene.response)


@then("the first answer is 202, and the second 202 or, when the job has ended meanwhile, 409")
def _both_answers(scene: Scene) -> None:
    first, second = [answer.status_code for answer in scene.answers]
    assert first == 202
    assert second in (202, 409)


@when("the client cancels all its jobs, the latest first")
def _all(scene: Scene) -> None:
    for job in reversed(scene.jobs):
        cancel(scene, job)


@when(parsers.parse("the client cancels its first {count:d} jobs"))
def _first(scene: Scene, count: int) -> None:
    for job in scene.jobs[:count]:
        cancel(scene, job)


@when("the client cancels its other jobs")
def _others(scene: Scene) -> None:
    for job in scene.jobs[:-1]:
        cancel(scene, job)


@then(parsers.parse('the stream of each job ends with the error "{code}"'))
def _each_ends(scene: Scene, code: str) -> None:
    for job in scene.jobs:
        stream = scene.open_stream(job)
        stream.wait_done(STREAM_SECONDS)
        codes = [json.loads(f.data)["code"] for f in stream.frames if f.type == "error"]
        assert codes == [code]


@then("no worker hears of the job")
def _never_ran(scene: Scene) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    request = {"correlation_id": scene.job.correlation_id}
    assert scene.narration.events(**request), "nothing was narrated about the job"
    assert scene.narration.events(service="worker", **request) == []


@then(parsers.parse('the job\'s state is "{state}"'))
def _state(scene: Scene, state: str) -> None:
    answer = scene.cluster.client().get(f"/v1/jobs/{scene.job.job_id}")
    assert answer.json()["state"] == state
