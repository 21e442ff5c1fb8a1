"""What a user sees, and what is narrated, when a part of the cluster goes away under a job."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.cluster import Cluster, Job, local_cluster
from pytest_narration.recorder import Recorder
from pytest_narration.sources import SseSource

_LONG: dict[str, Any] = {"max_tokens": 480, "max_tok_per_s": 20}
"""A job that is still running when the fault comes: it would take 24 seconds."""

_PATIENCE = 90.0
"""Seconds; a restarted worker imports torch, which a busy machine may take half a minute for."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(
        Recorder(), slots=1, pool_manager_args=["--heartbeat=0.2", "--backoff=0.05"]
    ) as running:
        yield running


@pytest.fixture
def mark(cluster: Cluster) -> int:
    return cluster.recorder.mark()


def _running(cluster: Cluster, correlation_id: str, **asked: Any) -> tuple[Job, SseSource]:
    job = cluster.submit(**{**_LONG, **asked}, correlation_id=correlation_id)
    stream = cluster.open_stream(job)
    stream.wait_frame("token", timeout=20)
    return job, stream


def _ended_with(stream: SseSource) -> str:
    """Return the code of the one error that the stream ended with."""
    stream.wait_done(30)
    types = [frame.type for frame in stream.frames]
    assert types[-2:] == ["error", "done"]
    assert types.count("error") == 1
    assert "end" not in types
    return str(json.loads(stream.frames[-2].data)["code"])


def _narrated(cluster: Cluster, action: str, since: int, **where: object) -> None:
    cluster.recorder.wait_for(timeout=_PATIENCE, since=since, action=action, **where)


def test_a_killed_worker_ends_its_job_and_a_waiting_job_runs_afterwards(
    cluster: Cluster, mark: int
) -> None:
    _, stream = _running(cluster, "worker-killed")
    waiting = cluster.submit(max_tokens=5, correlation_id="runs-afterwards")
    _narrated(cluster, "job_queue", mark, correlation_id="runs-afterwards")
    killed_at = cluster.recorder.mark()
    cluster.worker().kill()
    assert _ended_with(stream) == "WORKER_LOST"
    exits = cluster.recorder.wait_for(since=killed_at, action="worker_exit").event
    assert exits.error_kind == "SIGNAL_9"
    _narrated(cluster, "worker_restart", killed_at)
    cluster.open_stream(waiting).wait_done(_PATIENCE)
    _narrated(cluster, "job_complete", killed_at, correlation_id="runs-afterwards")
    assert cluster.worker().facts()["restarts"] >= 1


def test_a_dead_worker_is_noticed_within_a_second(cluster: Cluster) -> None:
    """Of three deaths at least one is: a machine may be too busy to let anybody notice in time."""
    took: list[float] = []
    while not took or (took[-1] >= 1.0 and len(took) < 3):
        cluster.wait_ready(timeout=_PATIENCE)
        mark = cluster.recorder.mark()
        runs_as = cluster.worker().facts()["runs_as"]
        killed_at = time.monotonic()
        os.kill(int(runs_as.removeprefix("pid ")), signal.SIGKILL)
        told = [
            cluster.recorder.wait_for(since=mark, action=action, timeout=_PATIENCE).record.at
            for action in ("worker_exit", "node_unready", "worker_restart")
        ]
        took.append(max(told) - killed_at)
        cluster.wait_ready(since=mark, timeout=_PATIENCE)
    assert min(took) < 1.0, took


def test_a_killed_pool_manager_ends_the_job_and_takes_its_worker_along(
    cluster: Cluster, mark: int
) -> None:
    _, stream = _running(cluster, "manager-killed")
    cluster.pool_managers[0].kill()
    assert _ended_with(stream) == "NODE_LOST"
    _narrated(cluster, "node_lost", mark, node_id="node-0")
    cluster.pool_managers[0].start()
    cluster.wait_ready(since=mark, timeout=_PATIENCE)
    job = cluster.submit(max_tokens=3)
    assert cluster.open_stream(job).wait_done(20).outcome == "complete"


def test_a_killed_orchestrator_comes_back_and_its_node_joins_again(
    cluster: Cluster, mark: int
) -> None:
    _, stream = _running(cluster, "orchestrator-killed")
    cluster.orchestrator.kill()
    _narrated(cluster, "job_cancel", mark, service="pool-manager", level="warn")
    _narrated(cluster, "error", mark, actor="node-agent")
    stream.stop()
    cluster.orchestrator.start()
    cluster.orchestrator.wait_listening(20)
    _narrated(cluster, "node_ready", mark, node_id="node-0")
    job = cluster.submit(max_tokens=3)
    assert cluster.open_stream(job).wait_done(20).outcome == "complete"


def test_a_frozen_node_is_lost_and_returns_by_itself(cluster: Cluster, mark: int) -> None:
    manager = cluster.pool_managers[0]
    manager.pause()
    try:
        _narrated(cluster, "node_lost", mark, node_id="node-0")
    finally:
        manager.resume()
    _narrated(cluster, "node_return", mark, node_id="node-0")
    job = cluster.submit(max_tokens=3)
    assert cluster.open_stream(job).wait_done(30).outcome == "complete"


def test_a_reader_that_leaves_ends_nothing(cluster: Cluster, mark: int) -> None:
    _, stream = _running(cluster, "reader-left", max_tok_per_s=400)
    stream.stop()
    _narrated(cluster, "stream_close", mark, correlation_id="reader-left")
    _narrated(cluster, "job_complete", mark, correlation_id="reader-left", service="orchestrator")


def test_no_line_was_lost_by_any_of_it(cluster: Cluster) -> None:
    """Each process's ``seq`` has no gap, up to the moment it was killed."""
    cluster.recorder.settle(timeout=20)
    seqs: dict[str, list[int]] = {}
    for record in cluster.recorder.records(channel="stdout"):
        seqs.setdefault(str(record.event.instance), []).append(record.event.seq or 0)
    assert len(seqs) >= 6
    for instance, seen in seqs.items():
        assert seen == list(range(1, len(seen) + 1)), instance
    assert cluster.recorder.rejected == []


def test_a_stopped_orchestrator_ends_its_streams_properly(cluster: Cluster) -> None:
    _, stream = _running(cluster, "shut-down")
    assert cluster.orchestrator.stop() == 0
    assert _ended_with(stream) == "SHUTTING_DOWN"
