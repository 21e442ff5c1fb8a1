"""Tests against a real engine; without one they are skipped, and say why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.cluster import Cluster, docker_cluster
from harness.launch.docker_engine import connect, why_no_engine
from pytest_narration.errors import ClusterError, MissingExtra
from pytest_narration.recorder import Recorder


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
    """The images of the services; nothing here builds them."""
    import docker

    for service in ("orchestrator", "pool-manager", "worker"):
        try:
            engine.images.get(f"narration/{service}:latest")
        except docker.errors.ImageNotFound:
            pytest.skip(f"the engine has no image narration/{service}:latest: make images")


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
