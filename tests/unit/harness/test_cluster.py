"""The cluster on local processes: one story over three services, and what is left of it at the end.

Every test but the last ones shares one cluster: starting it costs the import of torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster, local_cluster
from pytest_narration.errors import ClusterError
from pytest_narration.event import Event
from pytest_narration.pattern import any_of
from pytest_narration.recorder import Recorder

_ROOT = Path(__file__).parents[3]
_OTHER = "another-client"
_LONG: dict[str, Any] = {"max_tokens": 400, "max_tok_per_s": 20}
"""A job that is still running when something happens to it: it would take 20 seconds."""
_LAST = {
    "worker": "inference_complete",
    "pool-manager": "job_complete",
    "orchestrator": "job_complete",
}
"""What each service says last about a job that did not fail."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(Recorder(), slots=2, client_tokens=[_OTHER]) as running:
        yield running


def _read_stdout(cluster: Cluster, correlation_id: str) -> None:
    """Wait until each service's last line about a job is read: its stream may end before that."""
    for service, last in _LAST.items():
        cluster.recorder.wait_for(
            timeout=60,
            channel="stdout",
            correlation_id=correlation_id,
            service=service,
            action=any_of(last, "error"),
        )


def _types(stream: object) -> list[str]:
    return [frame.type for frame in stream.frames]  # type: ignore[attr-defined]


def test_an_event_that_breaks_its_contract_raises_where_it_is_narrated(cluster: Cluster) -> None:
    code = "from pytest_narration.emit import narrate; narrate('job_admit', 'Admitted')"
    broken = cluster.orchestrator.exec([sys.executable, "-c", code], timeout=60)
    assert broken.returncode == 1
    assert "ContractBroken" in broken.stderr
    assert "correlation_id is missing" in broken.stderr


def test_one_correlation_id_reaches_every_service(cluster: Cluster) -> None:
    job = cluster.submit(correlation_id="story-1")
    cluster.open_stream(job).wait_done(60)
    _read_stdout(cluster, "story-1")
    events = cluster.recorder.for_correlation("story-1").events(channel="stdout")
    assert {event.service for event in events} == {"orchestrator", "pool-manager", "worker"}
    assert len({event.job_id for event in events}) == 3


def test_each_services_job_names_its_callers_job(cluster: Cluster) -> None:
    job = cluster.submit(correlation_id="story-2")
    cluster.open_stream(job).wait_done(60)
    _read_stdout(cluster, "story-2")
    view = cluster.recorder.for_correlation("story-2")
    parents = {event.job_id: event.parent_job_id for event in view.events(service="worker")}
    (worker_parent,) = set(parents.values())
    (manager_parent,) = {event.parent_job_id for event in view.events(service="pool-manager")}
    assert {event.job_id for event in view.events(service="pool-manager")} == {worker_parent}
    assert manager_parent == job.job_id


def test_the_stream_follows_the_grammar_and_what_it_says_is_also_on_stdout(
    cluster: Cluster,
) -> None:
    job = cluster.submit(correlation_id="story-3")
    stream = cluster.open_stream(job)
    stream.wait_done(60)
    _read_stdout(cluster, "story-3")
    types = _types(stream)
    assert types[0] == "started"
    assert types[-2:] == ["end", "done"]
    assert set(types[1:-2]) <= {"narration", "token", "metrics"}
    view = cluster.recorder.for_correlation("story-3")
    streamed = {event.event_id for event in view.events(channel="sse")}
    assert len(streamed) >= 14
    assert streamed <= {event.event_id for event in view.events(channel="stdout")}


def test_a_job_runs_to_its_end_when_nobody_reads_its_stream(cluster: Cluster) -> None:
    job = cluster.submit(correlation_id="unread")
    cluster.recorder.wait_for(
        timeout=60, service="orchestrator", correlation_id="unread", action="job_complete"
    )
    status = cluster.client().get(f"/v1/jobs/{job.job_id}").json()
    assert status["state"] == "completed"
    assert status["result"]["tokens_out"] == 20


def test_the_same_seed_gives_the_same_text(cluster: Cluster) -> None:
    texts = set()
    for _ in range(2):
        job = cluster.submit(seed=7, temperature=0.9)
        cluster.open_stream(job).wait_done(60)
        texts.add(cluster.client().get(f"/v1/jobs/{job.job_id}").json()["result"]["text"])
    assert len(texts) == 1


def test_a_stream_is_resumed_without_a_gap_or_a_repeat(cluster: Cluster) -> None:
    job = cluster.submit()
    first = cluster.open_stream(job)
    first.wait_done(60)
    rest = cluster.open_stream(job, last_event_id="5")
    rest.wait_done(60)
    assert [frame.id for frame in rest.frames] == [frame.id for frame in first.frames][5:]


def test_who_has_read_everything_is_told_not_to_come_back(cluster: Cluster) -> None:
    job = cluster.submit()
    stream = cluster.open_stream(job)
    stream.wait_done(60)
    last = int(stream.frames[-1].id)
    url = f"/v1/jobs/{job.job_id}/stream"
    answer = cluster.client().get(url, headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["X-Correlation-Id"] == job.correlation_id
    named = {"Last-Event-ID": str(last), "X-Correlation-Id": "mine-1"}
    assert cluster.client().get(url, headers=named).headers["X-Correlation-Id"] == "mine-1"
    before = cluster.client().get(url, headers={"Last-Event-ID": str(last - 1)})
    assert (before.status_code, before.text) == (200, f"id: {last}\ndata: [DONE]\n\n")


def test_a_second_reader_is_refused_while_one_reads(cluster: Cluster) -> None:
    job = cluster.submit(**_LONG)
    stream = cluster.open_stream(job)
    stream.wait_frame("started", 60)
    refused = cluster.client().get(f"/v1/jobs/{job.job_id}/stream")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "stream_in_use")
    cluster.client().post(f"/v1/jobs/{job.job_id}/cancel")
    stream.wait_done(60)


@pytest.mark.parametrize("last", ["-1", "1.5", "x", "99999999999999999999", "٣"])
def test_a_last_event_id_of_nobodys_is_refused(cluster: Cluster, last: str) -> None:
    job = cluster.submit()
    refused = cluster.client().get(
        f"/v1/jobs/{job.job_id}/stream", headers={"Last-Event-ID": last.encode()}
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")


def test_a_job_is_hidden_from_other_tokens(cluster: Cluster) -> None:
    job = cluster.submit()
    other = cluster.client(_OTHER)
    for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel")):
        refused = other.request(method, f"/v1/jobs/{job.job_id}{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert cluster.client().get(f"/v1/jobs/{job.job_id}").status_code == 200
    assert other.get("/v2/nodes").status_code == 403


def test_a_running_job_is_cancelled_down_to_the_worker(cluster: Cluster) -> None:
    job = cluster.submit(**_LONG, correlation_id="cancel-running")
    stream = cluster.open_stream(job)
    stream.wait_frame("token", 60)
    assert cluster.client().post(f"/v1/jobs/{job.job_id}/cancel").status_code == 202
    stream.wait_done(60)
    assert _types(stream)[-2:] == ["error", "done"]
    assert '"CANCELLED"' in stream.frames[-2].data
    for service in ("worker", "pool-manager", "orchestrator"):
        cluster.recorder.wait_for(
            timeout=60,
            service=service,
            correlation_id="cancel-running",
            error_kind="CANCELLED",
            channel="stdout",
        )
    again = cluster.client().post(f"/v1/jobs/{job.job_id}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_a_queued_job_is_cancelled_where_it_waits(cluster: Cluster) -> None:
    busy = [cluster.submit(**_LONG) for _ in range(2)]
    job = cluster.submit(correlation_id="cancel-queued")
    cluster.recorder.wait_for(timeout=60, correlation_id="cancel-queued", action="job_queue")
    assert cluster.client().post(f"/v1/jobs/{job.job_id}/cancel").status_code == 202
    stream = cluster.open_stream(job)
    stream.wait_done(60)
    assert _types(stream)[-2:] == ["error", "done"]
    services = {e.service for e in cluster.recorder.for_correlation("cancel-queued").events()}
    assert services == {"orchestrator"}
    for other in busy:
        cluster.client().post(f"/v1/jobs/{other.job_id}/cancel")


def test_what_the_model_cannot_take_comes_back_as_the_workers_own_words(cluster: Cluster) -> None:
    job = cluster.submit(prompt="x" * 1_000, correlation_id="too-long")
    stream = cluster.open_stream(job)
    stream.wait_done(60)
    assert _types(stream)[-2:] == ["error", "done"]
    assert '"INVALID_REQUEST"' in stream.frames[-2].data
    _read_stdout(cluster, "too-long")
    view = cluster.recorder.for_correlation("too-long")
    for channel in ("stdout", "sse"):
        (event,) = view.events(service="worker", channel=channel)
        assert event.human.startswith("Validation failed for job ")


def test_a_caller_may_name_the_correlation_id_in_the_body(cluster: Cluster) -> None:
    client = cluster.client()
    body = {"prompt": "hi", "max_tokens": 1, "correlation_id": "from-body"}
    answer = client.post("/v1/jobs", json=body)
    assert answer.json()["correlation_id"] == "from-body"
    assert answer.headers["x-correlation-id"] == "from-body"
    same = client.post("/v1/jobs", json=body, headers={"X-Request-Id": "from-body"})
    assert same.status_code == 202
    other = client.post("/v1/jobs", json=body, headers={"X-Correlation-Id": "other"})
    assert (other.status_code, other.json()["error"]["code"]) == (400, "invalid_request")
    assert other.headers["x-correlation-id"] == "other"


def test_the_start_of_the_cluster_is_one_chain_of_causes(cluster: Cluster) -> None:
    """From process to process: spawned, started, reported, registered as ready."""

    def first(action: str, **where: object) -> Event:
        return cluster.recorder.wait_for(timeout=60, action=action, **where).event

    spawn, startup = first("worker_spawn"), first("startup", service="worker")
    calling = first("callback_ready", attempt=1)
    ready, reported, node_ready = map(first, ("worker_ready", "capacity_report", "node_ready"))
    assert startup.cause == (spawn.event_id,)
    assert ready.cause == (calling.event_id,)
    assert ready.event_id in reported.cause
    assert reported.event_id in node_ready.cause
    assert reported.correlation_id == node_ready.correlation_id


def test_the_workers_lines_are_kept_by_its_pool_manager(cluster: Cluster) -> None:
    lines = cluster.worker().logs()
    assert "[INFO] worker-gpu0-r1: Loading model tiny" in lines


def test_the_workers_lines_pass_through_byte_for_byte(cluster: Cluster) -> None:
    """What the pool manager kept raw is what the recorder read from its stdout."""
    url = f"{cluster.pool_managers[0].url}/v1/workers/worker-gpu0-r1/logs?format=raw"
    headers = {"Authorization": f"Bearer {cluster.token}"}
    raw = httpx.get(url, headers=headers, trust_env=False).content
    assert raw.count(b"\n") > 10
    instance = cluster.worker().facts()["instance"]
    kept = [line.split(b'"event_id":"')[1][:36].decode() for line in raw.splitlines()]
    # Lines pass through in order; a job that nobody awaited may have told the latest just so.
    cluster.recorder.wait_for(timeout=60, channel="stdout", event_id=kept[-1])
    seen = {e.event_id for e in cluster.recorder.events(service="worker", instance=instance)}
    assert seen.issuperset(kept)


def test_the_interface_describes_itself(cluster: Cluster) -> None:
    document = cluster.client("").get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    client = cluster.client()
    for path, methods in document["paths"].items():
        for method in methods:
            answer = client.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code != 405, f"{method} {path} is documented and impossible"
    assert "orchestrator_jobs_submitted_total" in client.get("/metrics").text


def test_a_cluster_that_cannot_start_says_why_and_leaves_nothing() -> None:
    recorder = Recorder()
    broken = local_cluster(recorder, orchestrator_args=["--bogus"])
    with pytest.raises(ClusterError) as failed, broken:
        pass
    assert "orchestrator ended before it was listening: exit status 2" in str(failed.value)
    assert "unrecognized arguments: --bogus" in str(failed.value)
    assert broken.pool_managers == []


def test_a_worker_that_cannot_start_is_named() -> None:
    with (
        pytest.raises(ClusterError) as failed,
        local_cluster(Recorder(), worker_args=["--model=/nowhere.safetensors"]),
    ):
        pass
    assert "worker-gpu0-r1 did not start" in str(failed.value)
    assert "nowhere.safetensors" in str(failed.value)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_test_run_that_is_killed_or_interrupted(number: signal.Signals) -> None:
    script = textwrap.dedent(
        """
        import sys
        from harness.cluster import local_cluster
        from pytest_narration.recorder import Recorder

        with local_cluster(Recorder()) as cluster:
            workers = [cluster.worker().facts()["runs_as"].split()[1]]
            print(*(service.pid for service in cluster.services), *workers, flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert len(pids) == 3
        run.send_signal(number)
        run.wait(60)
    left = _wait_until_gone(pids, seconds=60)
    assert not left, f"still running: {left}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux wakes a frozen orphan")
def test_not_even_frozen_services_outlive_a_test_run_that_is_killed() -> None:
    """The services are started from a thread that is gone by then: Linux watches threads."""
    script = textwrap.dedent(
        """
        import sys, threading
        from harness.cluster import local_cluster
        from pytest_narration.recorder import Recorder

        cluster = local_cluster(Recorder())
        starter = threading.Thread(target=cluster.__enter__)
        starter.start()
        starter.join()
        worker = cluster.worker()
        pids = [service.pid for service in cluster.services]
        pids.append(worker.facts()["runs_as"].split()[1])
        worker.pause()
        for service in cluster.services:
            service.pause()
        print(*pids, flush=True)
        sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert len(pids) == 3
        run.kill()
        run.wait(60)
    left = _wait_until_gone(pids, seconds=60)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"still running: {left}"


def _wait_until_gone(pids: list[int], seconds: float) -> list[int]:
    """Return those that still run after so long; a pidfd is readable when its process ended."""
    import select
    import time

    deadline = time.monotonic() + seconds
    left = []
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                left.append(pid)
        finally:
            os.close(descriptor)
    return left
