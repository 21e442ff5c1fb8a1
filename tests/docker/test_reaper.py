"""What a dead run left is removed, at once and at the next start, and never anything else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.launch.docker_labels import RUN, Run
from harness.launch.reaper import Reaper, sweep, sweep_dead_runs

_ROOT = Path(__file__).parents[2]
_IMAGE = "narration/orchestrator:latest"
_FACTORY = "harness.cluster:docker_cluster"
_SECONDS = 60.0
_CLUSTER = """
from harness.cluster import docker_cluster
from pytest_narration.recorder import Recorder
import sys
with docker_cluster(Recorder()) as cluster:
    labels = cluster._launcher._run.labels
    print(labels["narration.run"], flush=True)
    sys.stdin.read()
"""


def _dead() -> Run:
    """A run whose owner has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = Run.of_this_process()
    return Run(living.id, ended.pid, "1", living.machine)


def _left(engine: Any, run_id: str) -> list[str]:
    chosen = {"label": f"{RUN}={run_id}"}
    containers = engine.containers.list(all=True, filters=chosen, ignore_removed=True)
    return [
        *(each.name for each in containers),
        *(each.name for each in engine.networks.list(filters=chosen)),
        *(each.name for each in engine.volumes.list(filters=chosen)),
    ]


@pytest.fixture
def stranger(engine: Any, images: None) -> Iterator[Any]:
    """A container that is none of ours."""
    container = engine.containers.create(
        _IMAGE, entrypoint=["sleep", "60"], labels={"some.other": "label"}, network_mode="none"
    )
    container.start()
    yield container
    container.remove(force=True)


def test_a_dead_run_is_swept_and_a_living_one_and_a_stranger_are_not(
    engine: Any, stranger: Any
) -> None:
    dead, living = _dead(), Run.of_this_process()
    try:
        for run in (dead, living):
            engine.networks.create(f"narration-{run.id}-test", labels=run.labels)
            engine.volumes.create(f"narration-{run.id}-test", labels=run.labels)
            # A container that never started is left behind too.
            engine.containers.create(_IMAGE, labels=run.labels, name=f"narration-{run.id}-test")
        removed = sweep_dead_runs(engine)
        name = f"narration-{dead.id}-test"
        assert {f"container {name}", f"network {name}", f"volume {name}"} <= set(removed)
        assert _left(engine, dead.id) == []
        assert len(_left(engine, living.id)) == 3
        stranger.reload()
        assert stranger.status == "running"
    finally:
        sweep(engine, living.id)
        sweep(engine, dead.id)
    assert _left(engine, living.id) == []


def test_a_run_on_another_machine_is_left_alone(engine: Any) -> None:
    far = _dead()
    far = Run(far.id, far.pid, far.started, "another machine")
    network = engine.networks.create(f"narration-{far.id}-test", labels=far.labels)
    try:
        assert not any(far.id in line for line in sweep_dead_runs(engine))
        assert _left(engine, far.id) == [network.name]
    finally:
        network.remove()


def test_a_dismissed_reaper_has_swept(engine: Any) -> None:
    run = Run.of_this_process()
    reaper = Reaper(run)
    engine.networks.create(f"narration-{run.id}-test", labels=run.labels)
    reaper.dismiss()
    assert _left(engine, run.id) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_nothing_is_left_of_a_run_that_is_killed_or_interrupted(
    engine: Any, images: None, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CLUSTER],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        run_id = owner.stdout.readline().strip()
        assert len(_left(engine, run_id)) >= 5, "containers and networks run"
        os.kill(owner.pid, number)
        with contextlib.suppress(BrokenPipeError):
            owner.wait(120)
    _await_none(engine, run_id)


def test_nothing_is_left_of_a_pytest_that_is_killed(engine: Any, images: None) -> None:
    command = [sys.executable, "-m", "pytest", "tests/scenarios/test_features.py", "-q"]
    killed = subprocess.Popen(
        [*command, "-p", "no:cacheprovider", "-o", f"narration_cluster={_FACTORY}"],
        cwd=_ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    chosen = {"event": "start", "label": RUN}
    until = int(time.time() + _SECONDS)
    run_id = ""
    try:
        for event in engine.events(decode=True, filters=chosen, until=until):
            labels = event["Actor"]["Attributes"]
            # Its own start, in order: the orchestrator, the pool manager, and a worker.
            if labels["narration.owner.pid"] == str(killed.pid) and "worker" in labels["name"]:
                run_id = labels[RUN]
                break
        assert run_id, f"pytest started no worker in {_SECONDS:g} s"
        assert _processes_of(run_id), "a process waits for the end of the run"
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    _await_none(engine, run_id)


def _await_none(engine: Any, run_id: str) -> None:
    """Wait until nothing of a run is there: no container, network, volume or process."""
    deadline = time.monotonic() + _SECONDS
    while (left := _left(engine, run_id) + _processes_of(run_id)) and time.monotonic() < deadline:
        # The engine's own account of an end: a removal is what is awaited here.
        since = int(time.time())
        for event in engine.events(decode=True, since=since - 1, until=since + 1):
            if event.get("Action") == "destroy":
                break
    assert left == []


def _processes_of(run_id: str) -> list[str]:
    """Return the command lines that name a run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if run_id in command:
                found.append(command)
    return found
