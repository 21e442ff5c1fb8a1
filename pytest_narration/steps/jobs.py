"""Jobs and streams: what is submitted, followed, read and resumed.

A stream (server-sent events) is read in the background from the moment it is opened, so nothing is
missed between one step and the next. ``the job`` and ``the stream`` are the latest ones.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import StepFailed, StepMistake
from ..sources import SseSource
from .exchange import Body
from .json_path import JsonPath
from .phrase import given, then, when
from .scene import Scene
from .tables import Table, expectations, parsed
from .values import Expected, cell

_END_SECONDS = 60.0


@given(
    "a job's id is at {path} of the answer",
    example='Given a job\'s id is at "$.task.ref" of the answer',
)
def _id_at(path: JsonPath, narration_scene: Scene) -> None:
    """Say where the id is; otherwise it is ``job_id``, ``jobId``, ``id`` or ``task_id``."""
    narration_scene.job_id_at = path


@given(
    "a job's stream is at {string}",
    example='Given a job\'s stream is at "/tasks/{job_id}/events"',
)
def _stream_at(path: str, narration_scene: Scene) -> None:
    """Say where jobs have their streams; ``{job_id}`` stands for the job's id.

    Otherwise it is the answer's ``sse_url`` or ``stream_url``, else where the job was sent plus
    ``/<job id>/stream``.
    """
    narration_scene.stream_at = path


@when(
    "I submit a job to {string} with the JSON:",
    example='''
    When I submit a job to "/v1/jobs" with the JSON:
      """
      {"operation": "infer", "prompt": "Who goes there?"}
      """
    ''',
)
def _submit(path: str, docstring: str, narration_scene: Scene) -> None:
    """Send a job with POST; it must be taken on, and the answer must have its id."""
    narration_scene.submit(path, Body.json(parsed(docstring)))


@when(
    "I submit a job to {string} with the JSON {json}",
    example='When I submit a job to "/v1/jobs" with the JSON {"prompt": "Who goes there?"}',
)
def _submit_inline(path: str, document: Any, narration_scene: Scene) -> None:
    """Send a job whose JSON stands in the line, as outlines need it."""
    narration_scene.submit(path, Body.json(document))


@when(
    "{int} clients each submit a job to {string} and read its stream, with the JSON:",
    example='''
    When 20 clients each submit a job to "/v1/jobs" and read its stream, with the JSON:
      """
      {"prompt": "I am client ${n}"}
      """
    ''',
)
def _many(clients: int, path: str, docstring: str, narration_scene: Scene) -> None:
    """Submit jobs at the same time and read all streams to their ends; ``${n}`` numbers them."""
    scene = narration_scene

    if clients < 1:
        raise StepMistake(f"{clients} clients are none: write at least 1")

    def submit(number: int) -> None:
        scene.submit(path, Body.json(parsed(docstring.replace("${n}", str(number)))))

    scene.narration.mark()  # made before the threads ask for it
    with ThreadPoolExecutor(min(clients, 64)) as pool:
        list(pool.map(submit, range(1, clients + 1)))
    jobs = scene.jobs[len(scene.jobs) - clients :]
    streams = [scene.open_stream(job.stream_url, job_id=job.job_id) for job in jobs]
    for stream in streams:
        _read(stream, _END_SECONDS)


@when("I open the job's stream", example="When I open the job's stream")
def _open_job(narration_scene: Scene) -> None:
    """Begin to read the stream of the latest job."""
    job = narration_scene.job
    narration_scene.open_stream(job.stream_url, job_id=job.job_id)


@when("I open the stream {string}", example='When I open the stream "/orders/${order}/events"')
def _open(path: str, narration_scene: Scene) -> None:
    """Begin to read a stream."""
    narration_scene.open_stream(narration_scene.url(path))


@when(
    "I open the stream {string} as {string}",
    example='When I open the stream "/events" as "second reader"',
)
def _open_as(path: str, name: str, narration_scene: Scene) -> None:
    """Begin to read a stream under a name, so that steps can return to it."""
    narration_scene.open_stream(narration_scene.url(path), name=name)


@when(
    "I open the stream that answers {method} {string} with the JSON:",
    example='''
    When I open the stream that answers POST "/execute" with the JSON:
      """
      {"prompt": "Who goes there?"}
      """
    ''',
)
def _open_answer(method: str, path: str, docstring: str, narration_scene: Scene) -> None:
    """Send a request whose answer is a stream, and begin to read it."""
    url = narration_scene.url(path)
    narration_scene.open_stream(url, method=method, json=parsed(docstring))


@when("I look at the stream {string}", example='When I look at the stream "second reader"')
def _look_at(name: str, narration_scene: Scene) -> None:
    """Make a stream that was opened under a name the one that steps speak of."""
    narration_scene.look_at_stream(name)


@when("I read the stream to its end", example="When I read the stream to its end")
def _read_to_end(narration_scene: Scene) -> None:
    """Wait until the stream has ended, 60 seconds at most."""
    _read(narration_scene.stream, _END_SECONDS)


@when(
    "I read the stream to its end within {duration}",
    example="When I read the stream to its end within 2 min",
)
def _read_within(limit: float, narration_scene: Scene) -> None:
    """Wait until the stream has ended."""
    _read(narration_scene.stream, limit)


def _read(stream: SseSource, limit: float) -> None:
    ending = stream.wait_done(limit)
    _accepted(stream)
    if not stream.frames:
        why = ending.detail.removeprefix(f"{stream.url}: ")
        raise StepFailed(f"the stream of {stream.url} ended without a frame: {why}")


def _accepted(stream: SseSource) -> None:
    if stream.status != 200:
        raise StepFailed(f"the stream was refused with status {stream.status}: {stream.body[:500]}")


@when("I wait for the frame {string}", example='When I wait for the frame "token"')
def _wait_frame(kind: str, narration_scene: Scene) -> None:
    """Wait until the stream has brought a frame of a type."""
    narration_scene.stream.wait_frame(kind, narration_scene.patience)


@when(
    "I wait for the frame {string} within {duration}",
    example='When I wait for the frame "token" within 30 s',
)
def _wait_frame_within(kind: str, limit: float, narration_scene: Scene) -> None:
    """Wait until the stream has brought a frame of a type, for so long at most."""
    narration_scene.stream.wait_frame(kind, limit)


@when("I close the stream", example="When I close the stream")
def _close(narration_scene: Scene) -> None:
    """Disconnect, as a client that goes away."""
    narration_scene.ended_on_purpose.add(narration_scene.stream.name)
    narration_scene.stream.stop()


@when("I resume the stream", example="When I resume the stream")
def _resume(narration_scene: Scene) -> None:
    """Connect again and ask for what came after the last frame read (``Last-Event-ID``).

    It is a stream of its own from then on: ``the stream`` has the frames that come after that.
    """
    before = narration_scene.stream
    if not before.last_event_id:
        raise StepMistake("the stream cannot be resumed: none of its frames had an id")
    narration_scene.open_stream(
        before.url, job_id=before.job_id, last_event_id=before.last_event_id
    )


@then("the stream is refused with {int}", example="Then the stream is refused with 409")
def _refused(status: int, narration_scene: Scene) -> None:
    """Compare the status with which the stream was answered."""
    stream = narration_scene.stream
    if stream.status != status:
        raise StepFailed(
            f"expected the stream to be refused with {status}; "
            f"it was answered with {stream.status}: {stream.body[:500] or _kinds(stream)}"
        )


@then("the stream is complete", example="Then the stream is complete")
def _complete(narration_scene: Scene) -> None:
    """Wait for the end, which must say that it is one (``end``, ``error`` or ``[DONE]``)."""
    stream = narration_scene.stream
    ending = stream.wait_done(_END_SECONDS)
    _accepted(stream)
    if ending.outcome != "complete":
        raise StepFailed(f"the stream was {ending.outcome}: {ending.detail}; {_kinds(stream)}")


@then("the stream ends with {string}", example='Then the stream ends with "end"')
def _ends_with(kind: str, narration_scene: Scene) -> None:
    """Wait for the end, and compare the type of the last frame before ``[DONE]``."""
    stream = narration_scene.stream
    _read(stream, _END_SECONDS)
    kinds = [frame.type for frame in stream.frames if frame.type != "done"]
    if not kinds or kinds[-1] != kind:
        raise StepFailed(f'expected the stream to end with "{kind}"; {_kinds(stream)}')


@then(
    "the stream has {amount} frame/frames {string}",
    example='Then the stream has at least 2 frames "token"',
)
def _frames(amount: Expected, kind: str, narration_scene: Scene) -> None:
    """Wait for the end, and count the frames of a type."""
    stream = narration_scene.stream
    stream.wait_done(_END_SECONDS)
    _accepted(stream)
    count = sum(frame.type == kind for frame in stream.frames)
    if not amount.accepts(count):
        raise StepFailed(f'expected frames "{kind}": {amount!r}, found {count}; {_kinds(stream)}')


@then(
    "the stream's frame {string} has:",
    example="""
    Then the stream's frame "end" has:
      | $.finish_reason | stop       |
      | $.tokens_out    | at least 1 |
    """,
)
def _frame_has(kind: str, datatable: Table, narration_scene: Scene) -> None:
    """Wait for a frame of a type, and judge the JSON of its data."""
    frame = narration_scene.stream.wait_frame(kind, narration_scene.patience)
    document = parsed(frame.data)
    wrong = []
    for place, expected in expectations(datatable, headings=("place", "value")):
        found = JsonPath(place).value(document)
        if not expected.accepts(found):
            wrong.append(f"{place}: expected {expected!r}, found {found!r}")
    if wrong:
        raise StepFailed("\n".join([*wrong, f'the frame "{kind}" is: {frame.data[:500]}']))


@then(
    "the stream's frames are, in order:",
    example="""
    Then the stream's frames are, in order:
      | started |
      | token   |
      | end     |
      | done    |
    """,
)
def _frame_order(datatable: Table, narration_scene: Scene) -> None:
    """Wait for the end and compare the types, repeats said once, ``[DONE]`` as ``done``.

    Frames ``narration`` may come anywhere.
    """
    stream = narration_scene.stream
    stream.wait_done(_END_SECONDS)
    _accepted(stream)
    wanted = [cell(row[0]) for row in datatable]
    kinds = [frame.type for frame in stream.frames if frame.type != "narration"]
    told = [kind for number, kind in enumerate(kinds) if number == 0 or kinds[number - 1] != kind]
    fits = len(told) == len(wanted) and all(
        expected.accepts(kind) for expected, kind in zip(wanted, told, strict=True)
    )
    if not fits:
        hint = "" if "done" not in told else " (done is [DONE])"
        raise StepFailed(
            f"expected the frames {', '.join(map(repr, wanted))}; "
            f"found {', '.join(map(repr, told)) or 'none'}{hint}"
        )


def _kinds(stream: SseSource) -> str:
    kinds = [frame.type for frame in stream.frames]
    shown = ", ".join(kinds if len(kinds) <= 12 else [*kinds[:6], "…", *kinds[-5:]])
    return f"its frames are: {shown or 'none'}"
