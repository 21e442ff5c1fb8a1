"""Tests against a real engine; without one, or without images, they are skipped and say why."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster, docker_cluster
from harness.launch.docker_engine import connect, why_no_engine
from pytest_narration.errors import ClusterError, MissingExtra
from pytest_narration.recorder import Recorder

_BUILD = Path(__file__).parents[2] / "harness" / "images" / "build.sh"
_LABEL = "narration.identity"
_SERVICES = ("orchestrator", "pool-manager", "worker")


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A client of the engine."""
    if why := why_no_engine():
        pytest.skip(why)
    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(engine: Any) -> None:
    """The images of the services, of this very code; nothing here builds them."""
    import docker

    wanted = subprocess.run([_BUILD, "identity"], capture_output=True, text=True, check=True)
    for service in _SERVICES:
        name = f"narration/{service}:latest"
        try:
            image = engine.images.get(name)
        except docker.errors.ImageNotFound:
            pytest.skip(f"the engine has no image {name}: make images")
        if image.labels.get(_LABEL) != wanted.stdout.strip():
            pytest.skip(f"the image {name} is of other code than this: make images")
    try:
        engine.containers.run(
            "narration/orchestrator:latest",
            ["-c", ""],
            entrypoint="python3",
            remove=True,
            init=True,
        )
    except docker.errors.DockerException as error:
        pytest.skip(f"the engine can run no container here: {error}")


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    """What the module's cluster says."""
    return Recorder()


@pytest.fixture(scope="module")
def cluster(images: None, recorder: Recorder) -> Iterator[Cluster]:
    """A cluster of containers with two nodes."""
    try:
        running = docker_cluster(recorder, nodes=2)
    except MissingExtra as missing:
        pytest.skip(str(missing))
    except ClusterError as error:
        pytest.fail(str(error))
    with running as started:
        yield started
