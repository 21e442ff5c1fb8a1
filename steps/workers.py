"""Workers that a scenario starts by itself, to see them fail or stop."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pytest_bdd import parsers, then, when

from pytest_narration.sources import ProcessSource

from .scene import Scene

_START_SECONDS = 30.0

StartWorker = Callable[..., ProcessSource]


@pytest.fixture
def start_worker(scene: Scene) -> Iterator[StartWorker]:
    """Start a worker of the scenario's own; it ends with the scenario."""
    with ExitStack() as ends:

        def start(*arguments: str) -> ProcessSource:
            worker = ProcessSource(
                [sys.executable, "-m", "harness.services.worker", *arguments],
                "lone-worker",
                scene.narration.recorder,
                env={"NARRATION_API_TOKEN": scene.cluster.token},
                stderr="keep",
            )
            ends.callback(worker.stop)
            scene.worker = worker.start()
            return worker

        yield start


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@when("a worker is started on a port that is taken")
def _taken_port(scene: Scene, start_worker: StartWorker) -> None:
    with taken_port() as port:
        start_worker("--worker-id=worker-taken", f"--port={port}").wait(_START_SECONDS)


@when("a worker is started whose pool manager refuses the connection")
def _refused(scene: Scene, start_worker: StartWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # The port is closed again: whoever calls it is refused.
    url = f"http://127.0.0.1:{port}/v2/internal/workers/ready"
    start_worker("--worker-id=worker-refused", "--port=0", f"--ready-url={url}")
    scene.wait_for_point("worker.callback-failed", source="lone-worker")


@when("a worker is started and asked to stop")
def _stopped(scene: Scene, start_worker: StartWorker) -> None:
    worker = start_worker("--worker-id=worker-stopped", "--port=0")
    scene.wait_for_point("worker.server-bind", worker_id="worker-stopped")
    worker.terminate()
    worker.wait(_START_SECONDS)


@then(parsers.parse("it exits with code {code:d}"))
def _exits(scene: Scene, code: int) -> None:
    assert scene.worker is not None
    assert scene.worker.returncode == code, "\n".join(scene.worker.lines(10))


@then(parsers.parse('it narrated the point "{point_id}" on stdout and never on a stream'))
def _narrated(scene: Scene, point_id: str) -> None:
    scene.wait_for_point(point_id, source="lone-worker", channel="stdout")
    assert scene.sightings(point_id, channel="sse") == []
