"""Readers of a stream who go, come back, come late, or read again; and places in the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from harness.cluster import local_cluster
from pytest_narration.recorder import Record, Recorder
from pytest_narration.sse import Decoder, Overlong, ServerSentEvent
from pytest_narration.story import lines

from .scene import STREAM_SECONDS, Scene, within

_SLOTS = 4


def get_stream(scene: Scene, **headers: str) -> httpx.Response:
    """Ask for the latest job's stream; answers that are no stream come at once."""
    return scene.cluster.client().get(f"/v1/jobs/{scene.job.job_id}/stream", headers=headers)


@pytest.fixture
def read_late() -> list[ServerSentEvent | Overlong]:
    """What a reader got that read only when the job was over."""
    return []


@pytest.fixture
def small_cluster(scene: Scene) -> Iterator[None]:
    """A cluster of the scenario's own, with a recorder of its own, in place of the shared one."""
    recorder = Recorder()
    with local_cluster(
        recorder, orchestrator_args=["--stream-frames=30"], worker_args=["--kv-tokens=100"]
    ) as cluster:
        scene.cluster, scene.narration = cluster, scene.narration.beside(recorder, recorder.mark())
        yield


@given("a cluster with little memory")
def _small(small_cluster: None) -> None:
    """The fixture does it, and undoes it."""


@when(parsers.parse("a job of {tokens:d} tokens has ended before its stream is opened"))
def _ended(scene: Scene, tokens: int) -> None:
    scene.submit(prompt="x", max_tokens=tokens)
    _completes_alone(scene)


@when("the client asks for the stream from its beginning")
def _from_beginning(scene: Scene) -> None:
    scene.response = get_stream(scene)


@when("all slots are busy")
def _busy(scene: Scene) -> None:
    """Their pace says how long these jobs take, and not the machine's; none is waited for."""
    for _ in range(_SLOTS):
        scene.submit(max_tokens=400, max_tok_per_s=20)
    for job in scene.jobs[-_SLOTS:]:
        scene.wait_for(
            service="worker", action="execute_request", correlation_id=job.correlation_id
        )


@when(parsers.parse("the client submits {count:d} more jobs"))
def _more(scene: Scene, count: int) -> None:
    for _ in range(count):
        scene.submit(max_tokens=1)


@then(parsers.parse("the last {count:d} jobs waited at positions 1 to {last:d}"))
def _positions(scene: Scene, count: int, last: int) -> None:
    waiting = scene.jobs[-count:]
    found = [
        scene.wait_for(action="job_queue", correlation_id=job.correlation_id).queue_position
        for job in waiting
    ]
    assert found == list(range(1, last + 1))


@then(parsers.parse("the last {count:d} jobs are dispatched in the order of their submission"))
def _dispatched(scene: Scene, count: int) -> None:
    numbers = [
        scene.narration.wait_for(
            service="orchestrator",
            action="job_dispatch",
            correlation_id=job.correlation_id,
            timeout=STREAM_SECONDS,
        ).event.seq
        for job in scene.jobs[-count:]
    ]
    assert None not in numbers
    assert numbers == sorted(numbers, key=lambda number: number or 0)


@then("these lines of the job's story come in this order:")
def _story_order(scene: Scene, datatable: list[list[str]]) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    story = scene.narration.story(scene.job.correlation_id)
    told = iter([[line.lane, line.action] for line in lines(story.items)])
    # An iterator: each line is looked for behind the one before it.
    missing = [row for row in datatable if row not in told]
    assert not missing, f"{missing} do not come, or too early:\n{story}"


@then("the job's tokens are numbered from 0 without a gap")
def _tokens(scene: Scene) -> None:
    numbers = [json.loads(f.data)["index"] for f in scene.stream.frames if f.type == "token"]
    assert numbers, "no token came"
    assert numbers == list(range(len(numbers)))


@then("on each stream the lines of each service come in the order in which they were said")
def _stream_order(scene: Scene) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    seen: dict[tuple[str | None, str | None, str | None], list[int]] = {}
    records: list[Record] = scene.narration.records(channel="sse")
    assert records, "no stream brought a line"
    for record in records:
        event = record.event
        assert event.seq is not None
        # A job's cancellation is said beside its own line of work.
        key = (record.stream, event.instance, event.task_id)
        seen.setdefault(key, []).append(event.seq)
    for key, numbers in seen.items():
        assert numbers == sorted(numbers), f"{key}: {numbers}"


@when("the client reads the stream of the ended job once more")
def _again(scene: Scene) -> None:
    within(STREAM_SECONDS, "reading the stream again", [scene.open_stream()])


@then("both times it read the same frames")
def _same(scene: Scene) -> None:
    first, second = scene.streams[-2:]
    assert [f.data for f in first.frames] == [f.data for f in second.frames]


@when("the client asks for the stream after the last frame that it has read")
def _after_all(scene: Scene) -> None:
    last = [frame.id for frame in scene.stream.frames if frame.id][-1]
    scene.response = get_stream(scene, **{"Last-Event-ID": last})


@when(parsers.parse('the client asks for the stream after the frame "{frame_id}"'))
def _after(scene: Scene, frame_id: str) -> None:
    scene.response = get_stream(scene, **{"Last-Event-ID": frame_id})


@then(parsers.parse("the answer is {status:d} without a word"))
def _silent(scene: Scene, status: int) -> None:
    assert scene.response is not None
    assert scene.response.status_code == status, scene.response.text
    assert scene.response.content == b""


@when("another reader takes the stream over after its first token")
def _take_over(scene: Scene) -> None:
    first = scene.stream
    first.wait_frame("token", STREAM_SECONDS)
    second = scene.open_stream(last_event_id=first.last_event_id)
    second.wait_frame("token", STREAM_SECONDS)


@then(parsers.parse('the first reader is told "{code}"'))
def _told(scene: Scene, code: str) -> None:
    first = scene.streams[-2]
    first.wait(STREAM_SECONDS)
    codes = [json.loads(f.data)["code"] for f in first.frames if f.type == "error"]
    assert codes == [code]


@then("the second reader reads on to the end")
def _reads_on(scene: Scene) -> None:
    scene.stream.wait_done(STREAM_SECONDS)
    assert [frame.type for frame in scene.stream.frames][-2:] == ["end", "done"]


@when(parsers.parse("the client disconnects after each token, {times:d} times, and resumes"))
def _restless(scene: Scene, times: int) -> None:
    last = ""
    for _ in range(times):
        stream = scene.open_stream(last_event_id=last)
        stream.wait_frame("token", STREAM_SECONDS)
        stream.stop()
        last = stream.last_event_id
    scene.open_stream(last_event_id=last)


@then("all its readings together have every frame once")
def _every_frame(scene: Scene) -> None:
    ids = [int(frame.id) for stream in scene.streams for frame in stream.frames if frame.id]
    assert ids == list(range(1, len(ids) + 1))


@when("the client opens the job's stream, and reads only when the job is over")
def _late(scene: Scene, read_late: list[ServerSentEvent | Overlong]) -> None:
    """Nothing is taken from the socket until the orchestrator has said that the job is complete."""
    client = scene.cluster.client()
    with client.stream("GET", f"/v1/jobs/{scene.job.job_id}/stream") as answer:
        scene.wait_complete()
        decoder = Decoder()
        read_late += [frame for piece in answer.iter_bytes() for frame in decoder.feed(piece)]


@then("it has read every frame, to the end")
def _has_all(read_late: list[ServerSentEvent]) -> None:
    assert [frame.data for frame in read_late][-1] == "[DONE]"
    ids = [int(frame.id) for frame in read_late if frame.id]
    assert ids == list(range(1, len(ids) + 1))


@when("the client goes away after the job's first token and never comes back")
def _leaves(scene: Scene) -> None:
    stream = scene.open_stream()
    stream.wait_frame("token", STREAM_SECONDS)
    stream.stop()


@then("the job completes all the same")
def _completes_alone(scene: Scene) -> None:
    scene.wait_complete()


@then(parsers.parse("the client may resume where the answer says, and read to the end"))
def _resume_after(scene: Scene) -> None:
    assert scene.response is not None
    place = str(scene.response.json()["error"]["resume_after"])
    stream = scene.open_stream(last_event_id=place)
    within(STREAM_SECONDS, "reading from where it is kept", [stream])
    assert next(int(f.id) for f in stream.frames if f.id) == int(place) + 1
