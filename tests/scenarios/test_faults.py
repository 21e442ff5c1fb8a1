"""How the cluster breaks, with a proxy on every link between its services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_bdd import scenarios

from harness.faults import LinkedCluster, docker_linked_cluster, linked_cluster
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.fixtures import Narration
from pytest_narration.recorder import Recorder
from steps.faults_clocks import *  # noqa: F403 - phrases are taken whole
from steps.faults_links import *  # noqa: F403
from steps.faults_readers import *  # noqa: F403
from steps.faults_services import *  # noqa: F403
from steps.scene import Scene

scenarios("faults")

_CATALOG = Path(__file__).parents[2] / "harness" / "narration.toml"


@pytest.fixture(scope="module")
def make_cluster(request: pytest.FixtureRequest) -> Callable[..., LinkedCluster]:
    """What makes clusters of the kind that the features run on."""
    is_docker = request.config.getini("narration_cluster").endswith(":docker_cluster")
    return docker_linked_cluster if is_docker else linked_cluster


@pytest.fixture(scope="module")
def linked(make_cluster: Callable[..., LinkedCluster]) -> Iterator[LinkedCluster]:
    """A cluster of this module's own, so that no other test waits for what is killed here."""
    with make_cluster(
        Recorder(),
        # Heartbeats pass through this process: one that stalls for 3 s loses no node.
        orchestrator_args=["--missed-heartbeats=10"],
        pool_manager_args=["--heartbeat=0.3"],
        worker_args=["--queue=0"],
    ) as cluster:
        yield cluster


@pytest.fixture
def scene(linked: LinkedCluster, narration: Narration) -> Scene:
    """One scenario on the linked cluster; its narration is judged by the project's own policy."""
    looked_at = narration.beside(linked.recorder, linked.recorder.mark())
    points = {point.id: point for point in Catalog.load(_CATALOG).points}
    return Scene(linked, looked_at, points)
