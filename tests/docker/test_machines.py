"""Two engines of one swarm, a node on each; run by ``machines.sh run``, see the documentation."""

from __future__ import annotations

import os

import pytest

from harness.cluster import MACHINES_VARIABLE, Cluster, docker_cluster
from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder
from pytest_narration.rules import check
from pytest_narration.story import Story


@pytest.mark.parametrize(
    "machines",
    ["127.0.0.1", "=unix:///a.sock", "127.0.0.1=", "127.0.0.1=unix:///a.sock,10.0.0.2"],
)
def test_machines_that_are_no_pairs_are_refused(
    machines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MACHINES_VARIABLE, f"{machines} nonsense")
    with pytest.raises(ClusterError, match="expected address=engine"):
        docker_cluster(Recorder())


def test_jobs_run_on_a_node_of_each_machine_and_the_story_shows_both() -> None:
    if len(os.environ.get(MACHINES_VARIABLE, "").split()) < 2:
        pytest.skip(f"{MACHINES_VARIABLE} names no two machines: harness/images/machines.sh")
    recorder = Recorder()
    with docker_cluster(recorder, nodes=2, slots=1) as cluster:
        since = recorder.mark()
        jobs = [cluster.submit(max_tokens=100, correlation_id=f"job-{n}") for n in range(2)]
        for stream in [cluster.open_stream(job) for job in jobs]:
            stream.wait_done(60.0)
        recorder.settle(timeout=30.0)
        told = recorder.since(since)
        assert [v for v in check(told) if v.outcome != "held"] == []
        ran = {str(event.instance) for event in told.events(action="inference_complete")}
        assert len(ran) == 2, ran
        urls = {cluster.worker(f"worker-gpu{n}-r1").url.split(":")[1] for n in range(2)}
        assert len(urls) == 2, "each machine publishes at its own address"
        print(Story.of(told))
        _lost_and_found(cluster, recorder)


def _lost_and_found(cluster: Cluster, recorder: Recorder) -> None:
    """The node across the wire is cut off, and returns."""
    since = recorder.mark()
    node = cluster.node("node-0")
    node.partition()
    recorder.wait_for(action="node_lost", node_id="node-0", since=since, timeout=30.0)
    node.heal()
    recorder.wait_for(action="node_return", node_id="node-0", since=since, timeout=30.0)
