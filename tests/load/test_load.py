"""What takes long, however quick the machine: run by ``make test``, not by ``make features``."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_bdd import scenarios

from harness.cluster import Cluster
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.fixtures import Narration
from steps.outcomes import *  # noqa: F403 - phrases are taken whole
from steps.requests import *  # noqa: F403
from steps.scene import Scene

scenarios("load")

_CATALOG = Path(__file__).parents[2] / "harness" / "narration.toml"


@pytest.fixture
def scene(narration_cluster: Cluster, narration: Narration) -> Scene:
    """One scenario's cluster, narration and jobs."""
    points = {point.id: point for point in Catalog.load(_CATALOG).points}
    return Scene(narration_cluster, narration, points)
