"""Services that a scenario starts by itself, to see them fail or stop; a cluster of its own."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, then, when

from harness.cluster import local_cluster
from harness.launch import Spec
from harness.launch.local import LocalLauncher, LocalService
from harness.services.worker.options import TINY
from pytest_narration.recorder import Recorder

from .scene import Scene

_START_SECONDS = 120.0
_MODULES = {"an orchestrator": "orchestrator", "a pool manager": "pool_manager"}

StartService = Callable[..., LocalService]


@pytest.fixture
def start_service(scene: Scene) -> Iterator[StartService]:
    """Start a service of the scenario's own; it ends with the scenario, or with the test run."""
    environment = {**os.environ, "NARRATION_API_TOKEN": scene.cluster.token}
    launcher = LocalLauncher(scene.narration.recorder, environment)

    def start(module: str, *arguments: str, port: int = 0) -> LocalService:
        spec = Spec(f"lone-{module}", f"harness.services.{module}", arguments, port=port)
        service = scene.service = launcher.add(spec)
        service.start()
        return service

    try:
        yield start
    finally:
        launcher.close()


@pytest.fixture
def damaged_model(tmp_path: Path) -> Path:
    """A checkpoint that can be loaded and whose training diverged: its last layer is NaN."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    if not TINY.exists():  # a cluster of containers has its own
        command = [sys.executable, "-m", "harness.services.worker.checkpoint"]
        subprocess.run(command, check=True, timeout=_START_SECONDS)
    with safe_open(TINY, framework="np") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    weights["head.weight"].fill(math.nan)
    path = tmp_path / "damaged.safetensors"
    save_file(weights, path, metadata)
    return path


@pytest.fixture
def damaged_cluster(scene: Scene, damaged_model: Path) -> Iterator[None]:
    """A cluster of the scenario's own, with a recorder of its own, in place of the shared one."""
    recorder = Recorder()
    with local_cluster(recorder, worker_args=[f"--model={damaged_model}"]) as cluster:
        scene.cluster, scene.narration = cluster, scene.narration.beside(recorder)
        yield


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refusing_url() -> str:
    """Return where nobody listens: the kernel gave the port out and took it back."""
    with taken_port() as port:
        return f"http://127.0.0.1:{port}"


@given("a cluster whose model is damaged")
def _damaged(damaged_cluster: None) -> None:
    """The fixture does it, and undoes it."""


@when("a worker is started on a port that is taken")
def _worker_on_taken_port(start_service: StartService) -> None:
    with taken_port() as port:
        start_service("worker", port=port).wait_ended(_START_SECONDS)


@when(parsers.re("(?P<service>an orchestrator|a pool manager) is started on a port that is taken"))
def _service_on_taken_port(start_service: StartService, service: str) -> None:
    arguments = [f"--orchestrator-url={refusing_url()}"] if service == "a pool manager" else []
    with taken_port() as port:
        start_service(_MODULES[service], *arguments, port=port).wait_ended(_START_SECONDS)


@when("a worker is started whose pool manager refuses the connection")
def _refused(scene: Scene, start_service: StartService) -> None:
    start_service("worker", f"--ready-url={refusing_url()}/v2/internal/workers/ready")
    scene.wait_for_point("worker.callback-failed", source="lone-worker")


@when("a worker is started and asked to stop")
def _stopped(scene: Scene, start_service: StartService) -> None:
    worker = start_service("worker", "--worker-id=worker-stopped")
    scene.wait_for_point("worker.server-bind", worker_id="worker-stopped")
    worker.stop(_START_SECONDS)


@when("a worker is started on a device that this machine lacks")
def _missing_device(start_service: StartService) -> None:
    # Apple's machines have no CUDA, and the others no Metal.
    missing = "cuda" if sys.platform == "darwin" else "mps"
    start_service("worker", f"--device={missing}").wait_ended(_START_SECONDS)


@when("a worker is started with a model that does not exist")
def _missing_model(start_service: StartService) -> None:
    start_service("worker", "--model=no/such/model.safetensors").wait_ended(_START_SECONDS)


@when("a pool manager is started that needs more memory than the machine has")
def _too_little_memory(scene: Scene, start_service: StartService) -> None:
    terabytes = 1 << 30
    start_service(
        "pool_manager", f"--orchestrator-url={refusing_url()}", f"--require-ram-mb={terabytes}"
    )


@when("a pool manager is started whose orchestrator refuses the connection")
def _no_orchestrator(start_service: StartService) -> None:
    start_service("pool_manager", f"--orchestrator-url={refusing_url()}", "--workers=0")


@when("a pool manager is stopped while its worker is frozen")
def _stopped_with_frozen_worker(scene: Scene, start_service: StartService) -> None:
    manager = start_service("pool_manager", f"--orchestrator-url={refusing_url()}", "--grace=8")
    worker = scene.narration.wait_for(
        source=manager.name, service="worker", action="startup", timeout=_START_SECONDS
    )
    _freeze(int(worker.event.field("pid")))
    manager.stop(_START_SECONDS)


def _freeze(pid: int) -> None:
    """Stop a process, and wait until it has: of two pending signals SIGTERM would come first."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + _START_SECONDS
    while (state := _state(pid)) != "T":
        assert time.monotonic() < deadline, f"process {pid} is not stopped but {state!r}"
        time.sleep(0.01)


def _state(pid: int) -> str:
    """Return the letter of ps(1) for what a process does; Linux may be without the program."""
    if (stat := Path(f"/proc/{pid}/stat")).exists():
        return stat.read_text().rpartition(")")[2].split()[0]
    asked = ["ps", "-o", "state=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()[:1]


@then(parsers.parse("it exits with code {code:d}"))
def _exits(scene: Scene, code: int) -> None:
    assert scene.service is not None
    assert scene.service.returncode == code, scene.service.explain(f"did not exit with {code}")


@then(parsers.parse('it narrated "{point_id}" on stdout and never on a stream'))
def _narrated(scene: Scene, point_id: str) -> None:
    assert scene.service is not None
    scene.wait_for_point(point_id, source=scene.service.name, channel="stdout")
    assert scene.sightings(point_id, channel="sse") == []
