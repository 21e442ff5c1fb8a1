"""A reader of a job's stream that reads, but slowly: what it sees, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from pytest_bdd import parsers, then, when

from harness.faults import SlowReader
from pytest_narration.sse import ServerSentEvent

from .scene import STREAM_SECONDS, Scene

_PACE = 8_000
"""Bytes a second: ten seconds for the 80 kB of 400 tokens, which a worker decodes in one."""
_IN_A_HURRY = 1_000_000
_TOO_SLOW = "READER_TOO_SLOW"
_TOO_LATE = "replay_gone"
_GAUGE = "orchestrator_stream_frames_kept "

Frames = list[ServerSentEvent]


@pytest.fixture
def readers() -> Iterator[ExitStack]:
    """Readers that hold streams until the scenario ends."""
    with ExitStack() as held:
        yield held


@pytest.fixture
def slow() -> list[SlowReader]:
    """The scenario's slow reader, over all its connections."""
    return []


def _connect(scene: Scene, readers: ExitStack, slow: list[SlowReader], after: str = "") -> None:
    job, token = scene.jobs[0], scene.cluster.token
    reader = SlowReader(job.sse_url, token, pace=_PACE, last_event_id=after)
    slow.append(readers.enter_context(reader))


@when("a slow reader reads the job's stream")
def _reads_slowly(scene: Scene, readers: ExitStack, slow: list[SlowReader]) -> None:
    _connect(scene, readers, slow)


@then("the job is complete while the slow reader still reads")
def _complete(scene: Scene, slow: list[SlowReader]) -> None:
    scene.wait_complete()
    assert slow[0].is_reading
    assert "end" not in [frame.type for frame in slow[0].frames]


@then("the slow reader reads on to the job's end, and misses nothing")
def _misses_nothing(slow: list[SlowReader]) -> None:
    slow[0].pace = _IN_A_HURRY
    slow[0].wait(STREAM_SECONDS)
    assert slow[0].broke == ""
    ids = _ids(slow[0].frames)
    assert ids == list(range(1, len(ids) + 1))
    _at_the_end(slow[0].frames)


@then("the slow reader reads on to the job's end, and misses only what it is told of")
def _misses_what_it_is_told(scene: Scene, readers: ExitStack, slow: list[SlowReader]) -> None:
    slow[0].wait(STREAM_SECONDS)
    while gone := _told_of(slow[-1]):
        _connect(scene, readers, slow, after=str(gone))
        slow[-1].wait(STREAM_SECONDS)
    assert [reader.broke for reader in slow] == [""] * len(slow)
    place = 1
    for reader in slow:
        ids = _ids(reader.frames)
        assert ids == list(range(place, place + len(ids)))
        place = _told_of(reader) + 1
    _at_the_end(slow[-1].frames)


@then("each time that it was told is narrated")
def _narrated(scene: Scene, slow: list[SlowReader]) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    closed = [e.error_kind for e in scene.narration.events(action="stream_close")]
    refused = [e.error_kind for e in scene.narration.events(action="request_refused")]
    late = sum(bool(reader.refusal) for reader in slow)
    assert refused == [_TOO_LATE] * late
    assert closed == [_TOO_SLOW] * (len(slow) - 1 - late) + [None]


@then(parsers.parse("the orchestrator keeps at most {frames:d} frames of each job"))
def _keeps_at_most(scene: Scene, frames: int) -> None:
    answer = httpx.get(
        f"{scene.cluster.orchestrator.url}/metrics",
        headers={"Authorization": f"Bearer {scene.cluster.token}"},
        timeout=STREAM_SECONDS,
        trust_env=False,
    )
    (kept,) = [line for line in answer.text.splitlines() if line.startswith(_GAUGE)]
    assert 0 < float(kept.removeprefix(_GAUGE)) <= frames * len(scene.jobs)


def _ids(frames: Frames) -> list[int]:
    """Return the ids that frames brought along; what is said about the reader itself has none."""
    return [int(f.id) for f in frames if f.own_id]


def _told_of(reader: SlowReader) -> int:
    """Return where a reader that fell behind is to go on, 0 for one that did not."""
    if reader.refusal:
        assert reader.refusal["code"] == _TOO_LATE
        return int(reader.refusal["resume_after"])
    last = reader.frames[-1]
    told = json.loads(last.data) if last.type == "error" else {}
    return int(told["resume_after"]) if told.get("code") == _TOO_SLOW else 0


def _at_the_end(frames: Frames) -> None:
    end, done = frames[-2:]
    assert (end.type, done.data) == ("end", "[DONE]")
