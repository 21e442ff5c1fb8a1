"""What a scenario does to the processes of the cluster, and what the cluster makes of it."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from pytest_bdd import parsers, then, when

from harness.faults import LinkedCluster, LoneWorker
from pytest_narration.sse import Decoder

from .scene import STREAM_SECONDS, Scene

_FROZEN_SECONDS = 0.5
_MILLISECOND = 0.001
"""Timestamps are cut to it."""


class Crash(NamedTuple):
    """When a service was killed: seconds of this machine's wall clock, which services share."""

    earliest: float
    latest: float


@pytest.fixture
def crashes() -> list[Crash]:
    """The scenario's crashes."""
    return []


@when("the worker crashes after the job's first token")
def _worker_crashes(scene: Scene, crashes: list[Crash]) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    worker = scene.cluster.worker()
    earliest = time.time()
    worker.kill()
    crashes.append(Crash(earliest, time.time()))


@then(parsers.parse('the pool manager narrates "{point_id}" within {seconds:g} s of the crash'))
def _within(scene: Scene, point_id: str, seconds: float, crashes: list[Crash]) -> None:
    scene.wait_for_point(point_id)
    told = [r.event for r in scene.sightings(point_id) if r.index >= scene.narration.start]
    # When it was said, not when it was read here: a busy machine takes its time to bring a line.
    noticed = datetime.datetime.fromisoformat(str(told[0].timestamp)).timestamp()
    crash = crashes[-1]
    late = noticed - crash.latest
    assert crash.earliest - _MILLISECOND <= noticed <= crash.latest + seconds, f"{late:.3f} s late"


@when("the worker freezes after the job's first token and goes on")
def _worker_freezes(scene: Scene) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    worker = scene.cluster.worker()
    worker.pause()
    try:
        scene.narration.never(service="worker", action="inference_complete", during=_FROZEN_SECONDS)
    finally:
        worker.resume()


@when("the pool manager crashes after the job's first token")
def _pool_manager_crashes(scene: Scene) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    scene.cluster.pool_managers[0].kill()


@then("the restarted pool manager serves again")
def _pool_manager_serves(scene: Scene) -> None:
    since = scene.narration.mark()
    scene.cluster.pool_managers[0].restart(STREAM_SECONDS)
    scene.cluster.wait_ready(since=since)


@when("the orchestrator crashes after the job's first token")
def _orchestrator_crashes(scene: Scene) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    scene.cluster.orchestrator.kill()


@then("the client sees its stream break")
def _breaks(scene: Scene) -> None:
    ending = scene.stream.wait(STREAM_SECONDS)
    assert ending.outcome != "complete", ending
    assert "done" not in [frame.type for frame in scene.stream.frames]


@then("the node returns to the restarted orchestrator")
def _node_returns(scene: Scene) -> None:
    since = scene.narration.mark()
    scene.cluster.orchestrator.restart(STREAM_SECONDS)
    scene.narration.wait_for(action="node_ready", since=since, timeout=STREAM_SECONDS)


@pytest.fixture
def full_disk(scene: Scene) -> Iterator[LoneWorker]:
    """A worker of the scenario's own that cannot print."""
    assert isinstance(scene.cluster, LinkedCluster)
    with scene.cluster.full_disk() as worker:
        yield worker


@when("a worker is started whose stdout is on a full disk")
def _full_disk(full_disk: LoneWorker) -> None:
    assert full_disk.returncode is None


@then("a job on that worker streams its narration to its end")
def _streams(scene: Scene, full_disk: LoneWorker) -> None:
    decoder = Decoder()
    with httpx.stream(
        "POST",
        f"{full_disk.url}/execute",
        json={"prompt": "Is anybody there?", "max_tokens": 20},
        headers={
            "Authorization": f"Bearer {scene.cluster.token}",
            "Accept": "text/event-stream",
        },
        timeout=STREAM_SECONDS,
        trust_env=False,
    ) as answer:
        frames = [frame for piece in answer.iter_bytes() for frame in decoder.feed(piece)]
    told = [json.loads(f.data)["event"]["action"] for f in frames if f.type == "narration"]
    assert frames[-1].type == "end"
    assert {"inference_start", "inference_complete"} <= set(told)
    assert full_disk.returncode is None


@then(parsers.parse('the narration keeps "{first}", "{second}" and "{third}"'))
def _keeps(scene: Scene, first: str, second: str, third: str) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    scene.narration.assert_holds([first, second, third])
