"""What a reader observes: ids, links, channels, streams, answers."""

from __future__ import annotations

import json
import re

from pytest_bdd import parsers, then

from .requests import BAD_REQUEST
from .scene import POOL_MANAGER, SERVICES, STREAM_SECONDS, Scene

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@then(parsers.parse('the request\'s correlation id is "{correlation_id}"'))
def _correlation_is(scene: Scene, correlation_id: str) -> None:
    assert scene.job.correlation_id == correlation_id


@then("the request has a fresh correlation id")
def _correlation_is_fresh(scene: Scene) -> None:
    assert _UUID.fullmatch(scene.job.correlation_id), scene.job.correlation_id


@then("every event of the request carries its correlation id")
def _every_event(scene: Scene) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    # Judged along the links between jobs: an event that lost its id is found by its job.
    scene.narration.assert_holds(["correlation-present", "correlation-same"])
    request = scene.narration.for_correlation(scene.job.correlation_id)
    assert {event.service for event in request.events()} == set(SERVICES)


@then(parsers.parse('the request is narrated by "{first}", "{second}" and "{third}"'))
def _narrated_by(scene: Scene, first: str, second: str, third: str) -> None:
    for service in (first, second, third):
        scene.wait_for(service=service, correlation_id=scene.job.correlation_id)


@then("the response carries the correlation id")
def _response_carries(scene: Scene) -> None:
    assert scene.response is not None
    sent = scene.response.request.headers.get("X-Correlation-Id")
    made = scene.jobs[-1].correlation_id if scene.jobs else sent
    for header in ("X-Correlation-Id", "X-Request-Id"):
        assert scene.response.headers[header] == made


@then("the narration holds every rule")
def _holds(scene: Scene) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    scene.narration.assert_holds()


@then(parsers.parse('the orchestrator narrates at "{level}" that it replaced the correlation id'))
def _replaced(scene: Scene, level: str) -> None:
    scene.wait_for(service="orchestrator", action="correlation_id_replaced", level=level)


@then(parsers.parse('the answer is {status:d} with error code "{code}"'))
def _answer(scene: Scene, status: int, code: str) -> None:
    assert scene.response is not None
    assert (scene.response.status_code, scene.response.json()["error"]["code"]) == (status, code)


@then(parsers.parse('the answer\'s message mentions "{mention}"'))
def _mentions(scene: Scene, mention: str) -> None:
    assert scene.response is not None
    assert mention in scene.response.json()["error"]["message"]


@then(parsers.parse('the refusal carries the correlation id and is narrated at "{level}"'))
def _refusal(scene: Scene, level: str) -> None:
    assert scene.response is not None
    assert scene.response.headers["X-Correlation-Id"] == BAD_REQUEST
    scene.wait_for(service="orchestrator", level=level, correlation_id=BAD_REQUEST)


@then("the job's stream is read to its end")
def _read(scene: Scene) -> None:
    scene.stream.wait_done(STREAM_SECONDS)
    assert [frame.type for frame in scene.stream.frames][-2:] == ["end", "done"]


@then(parsers.parse('the orchestrator narrates the rejection under "{correlation_id}"'))
def _rejection(scene: Scene, correlation_id: str) -> None:
    scene.wait_for(service="orchestrator", level="warn", correlation_id=correlation_id)


@then(parsers.parse('"{first}", "{second}" and "{third}" each have a job id of their own'))
def _own_jobs(scene: Scene, first: str, second: str, third: str) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    scene.narration.assert_holds(["correlation-same", "job-own", "job-linked"])
    jobs = [scene.job_of(service) for service in (first, second, third)]
    assert len(set(jobs)) == 3, f"shared job ids: {jobs}"


@then("the worker's job belongs to the pool manager's job")
def _worker_belongs(scene: Scene) -> None:
    _belongs(scene, "worker", "pool-manager")


@then("the pool manager's job belongs to the orchestrator's job")
def _pool_manager_belongs(scene: Scene) -> None:
    _belongs(scene, "pool-manager", "orchestrator")


def _belongs(scene: Scene, child: str, parent: str) -> None:
    scene.narration.assert_holds(["job-linked"])
    job = scene.job_of(child)
    parents = {event.parent_job_id for event in scene.narration.events(job_id=job)}
    assert parents == {scene.job_of(parent)}


@then("the orchestrator's job is the one that the client was given")
def _given(scene: Scene) -> None:
    assert scene.job_of("orchestrator") == scene.job.job_id


@then(parsers.parse('the point "{point_id}" was seen on stdout and never on a stream'))
def _stdout_only(scene: Scene, point_id: str) -> None:
    assert scene.sightings(point_id, channel="stdout", source=POOL_MANAGER)
    assert scene.sightings(point_id, channel="sse") == []


@then(parsers.parse('the point "{point_id}" of the job was seen on stdout and on its stream'))
def _both(scene: Scene, point_id: str) -> None:
    _seen(scene, point_id, 1)


@then("these points of the job were seen on stdout and on its stream:")
def _these(scene: Scene, datatable: list[list[str]]) -> None:
    for point_id, times in datatable[1:]:
        _seen(scene, point_id, int(times))


def _seen(scene: Scene, point_id: str, times: int) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    scene.narration.assert_holds(["correlation-same", "channel-split", "provenance"])
    request = {"correlation_id": scene.job.correlation_id}
    on_stdout = scene.sightings(point_id, channel="stdout", **request)
    on_stream = scene.sightings(point_id, channel="sse", stream=scene.job.job_id, **request)
    found = (len(on_stdout), len(on_stream))
    assert found == (times, times), f"{point_id} (stdout, sse): {found}"
    ids = [[record.event.event_id for record in side] for side in (on_stdout, on_stream)]
    assert ids[0] == ids[1], "the stream carries other events than stdout"


@then(parsers.parse('the job\'s stream ends with the error "{code}"'))
def _ends_with(scene: Scene, code: str) -> None:
    scene.stream.wait_done(STREAM_SECONDS)
    assert scene.error_code() == code


@then(parsers.parse('each stream ends with the error "{code}"'))
def _each_ends_with(scene: Scene, code: str) -> None:
    for stream in scene.streams:
        stream.wait_done(STREAM_SECONDS)
        errors = [json.loads(frame.data) for frame in stream.frames if frame.type == "error"]
        assert [error["code"] for error in errors] == [code], stream.name


@then("the job's stream ends with an error")
def _ends_with_some_error(scene: Scene) -> None:
    scene.stream.wait_done(STREAM_SECONDS)
    assert scene.error_code()
    assert [frame.type for frame in scene.stream.frames][-2:] == ["error", "done"]


@then("the provisioner restarts the worker")
def _restarts(scene: Scene) -> None:
    scene.wait_for(service="pool-manager", action="worker_ready")
    scene.wait_for(service="orchestrator", action="node_ready")


@then("a job that the client submits afterwards completes")
def _completes(scene: Scene) -> None:
    scene.submit()
    stream = scene.open_stream()
    stream.wait_done(STREAM_SECONDS)
    assert [frame.type for frame in stream.frames][-2:] == ["end", "done"]


@then("each stream carries only its own job's events")
def _own_events(scene: Scene) -> None:
    scene.narration.assert_holds(["correlation-same", "job-isolated"])
    owners = {job.job_id: job.correlation_id for job in scene.jobs}
    seen = {(r.stream, r.event.correlation_id) for r in scene.narration.records(channel="sse")}
    assert seen == set(owners.items())


@then("each stream is complete")
def _complete(scene: Scene) -> None:
    for stream in scene.streams:
        kinds = [frame.type for frame in stream.frames]
        assert kinds[0] == "started", kinds
        assert kinds[-2:] == ["end", "done"], kinds


@then("no printed line is lost")
def _no_line_lost(scene: Scene) -> None:
    """Each instance numbers its lines: since its start, every number is there once."""
    scene.narration.settle(timeout=STREAM_SECONDS)
    printed = scene.narration.records(channel="stdout")
    assert {record.event.service for record in printed} >= set(SERVICES)
    scene.narration.session.assert_holds(["provenance"])


@then("the frames have no gap and no repeat")
def _contiguous(scene: Scene) -> None:
    ids = [int(frame.id) for stream in scene.streams[-2:] for frame in stream.frames if frame.id]
    assert ids == list(range(ids[0], ids[0] + len(ids))), ids
    ended = [json.loads(f.data) for f in scene.stream.frames if f.type == "end"]
    assert ended
    assert ended[0]["tokens_out"] > 0
