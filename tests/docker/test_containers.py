"""The cluster in containers: two nodes, every verb of the protocol, and what is where."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster, Job
from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder
from pytest_narration.rules import check

_SECONDS = 60.0


def _outcome(cluster: Cluster, job: Job) -> list[str]:
    stream = cluster.open_stream(job)
    stream.wait_done(_SECONDS)
    return [frame.type for frame in stream.frames]


def _containers(engine: Any, cluster: Cluster) -> dict[str, Any]:
    run = engine.containers.get(
        cluster.worker().facts()["runs_as"].removeprefix("container ")
    ).labels["narration.run"]
    found = engine.containers.list(filters={"label": f"narration.run={run}"})
    return {each.name.removeprefix(f"narration-{run}-"): each for each in found}


def test_a_job_is_told_by_three_containers_under_one_correlation_id(
    cluster: Cluster, recorder: Recorder
) -> None:
    since = recorder.mark()
    job = cluster.submit(correlation_id="from-outside")
    assert _outcome(cluster, job)[-2:] == ["end", "done"]
    recorder.settle()
    told = recorder.since(since).for_correlation("from-outside")
    assert {event.service for event in told.events()} == {"orchestrator", "pool-manager", "worker"}
    broken = [verdict for verdict in check(recorder.since(since)) if verdict.outcome != "held"]
    assert broken == []


def test_each_worker_is_a_container_of_its_own_without_privileges(
    engine: Any, cluster: Cluster
) -> None:
    found = _containers(engine, cluster)
    assert len(found) == 5  # the orchestrator, two nodes, a worker each
    for container in found.values():
        host = container.attrs["HostConfig"]
        assert container.attrs["Config"]["User"] == "10001:10001"
        assert host["CapDrop"] == ["ALL"]
        assert not host["Privileged"]
        assert host["Init"]
    assert sum(name.startswith("worker-gpu") for name in found) == 2


def test_ports_are_published_on_the_loopback_address_only(engine: Any, cluster: Cluster) -> None:
    for container in _containers(engine, cluster).values():
        container.reload()
        ports = container.attrs["NetworkSettings"]["Ports"]
        addresses = [binding["HostIp"] for bound in ports.values() for binding in bound or ()]
        assert addresses == ["127.0.0.1"], container.name


def test_a_worker_is_reached_through_its_published_port(cluster: Cluster) -> None:
    answer = httpx.get(f"{cluster.worker('worker-gpu1-r1').url}/health", trust_env=False)
    assert answer.status_code == 200


def test_a_killed_worker_ends_its_job_once_and_is_replaced(
    cluster: Cluster, recorder: Recorder
) -> None:
    since = recorder.mark()
    job = cluster.submit(max_tokens=400, max_tok_per_s=20)
    stream = cluster.open_stream(job)
    stream.wait_frame("token", _SECONDS)
    start = recorder.wait_for(action="worker_dispatch", since=since, timeout=_SECONDS).event
    worker = cluster.worker(str(start.worker_id))
    before = worker.facts()["runs_as"]
    worker.kill()
    stream.wait_done(_SECONDS)
    assert [frame.type for frame in stream.frames][-2:] == ["error", "done"]
    assert json.loads(stream.frames[-2].data)["code"] == "WORKER_LOST"
    exit_ = recorder.wait_for(action="worker_exit", since=since, timeout=_SECONDS).event
    assert exit_.error_kind == "SIGNAL_9"
    recorder.wait_for(
        action="worker_ready", worker_id=worker.worker_id, since=since, timeout=_SECONDS
    )
    assert worker.facts()["runs_as"] != before


def test_a_partitioned_node_is_lost_and_returns_by_itself_at_the_same_port(
    cluster: Cluster, recorder: Recorder
) -> None:
    node, since = cluster.node("node-1"), recorder.mark()
    address = node.address
    node.partition()
    try:
        recorder.wait_for(action="node_lost", node_id="node-1", since=since, timeout=_SECONDS)
        health = httpx.get(f"{node.url}/health", trust_env=False)
        assert health.status_code == 200, "the control network stays"
        job = cluster.submit()
        assert _outcome(cluster, job)[-2:] == ["end", "done"], "the other node takes it"
    finally:
        node.heal()
    recorder.wait_for(action="node_return", node_id="node-1", since=since, timeout=_SECONDS)
    assert node.address == address


def test_a_paused_service_answers_nothing_and_goes_on(cluster: Cluster) -> None:
    node = cluster.node("node-1")
    node.pause()
    try:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{node.url}/health", timeout=0.5, trust_env=False)
    finally:
        node.resume()
    assert httpx.get(f"{node.url}/health", timeout=10.0, trust_env=False).status_code == 200


def test_a_killed_pool_manager_takes_its_worker_along_and_comes_back_at_the_same_port(
    engine: Any, cluster: Cluster, recorder: Recorder
) -> None:
    import docker

    node, since = cluster.node("node-1"), recorder.mark()
    address = node.address
    worker = cluster.worker("worker-gpu1-r1").facts()["runs_as"].removeprefix("container ")
    container = engine.containers.get(worker)
    node.kill()
    assert node.returncode == -9
    with contextlib.suppress(docker.errors.NotFound):  # gone already is what is awaited
        container.wait(timeout=_SECONDS, condition="removed")  # its stdin ended, so it ended
    node.start()
    node.wait_listening(_SECONDS)
    assert node.address == address
    recorder.wait_for(
        action="worker_ready", worker_id="worker-gpu1-r1", since=since, timeout=_SECONDS
    )


def test_a_command_runs_where_the_service_runs(cluster: Cluster) -> None:
    done = cluster.orchestrator.exec(
        ["python3", "-c", "import os, sys; print(os.getuid()); sys.exit(3)"]
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "10001\n", "")
    with pytest.raises(subprocess.TimeoutExpired):
        cluster.orchestrator.exec(["sleep", "5"], timeout=0.3)


def test_what_does_not_run_refuses_clearly(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"container <name>.*pid 7"):
        cluster._launcher.signal_worker("pid 7", 9)
    with pytest.raises(ClusterError, match="no container runs as container gone"):
        cluster._launcher.signal_worker("container gone", 9)
