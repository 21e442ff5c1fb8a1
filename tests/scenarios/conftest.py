"""Binds the phrases of ``steps/`` and the cluster to the scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import Cluster
from pytest_narration.coverage.catalog import Catalog, Point
from pytest_narration.fixtures import Narration
from steps.faults import *
from steps.outcomes import *
from steps.requests import *
from steps.scene import Scene
from steps.services import *

CATALOG = Path(__file__).parents[2] / "harness" / "narration.toml"


@pytest.fixture(scope="session")
def points() -> dict[str, Point]:
    """The cluster's declared points by their ids."""
    return {point.id: point for point in Catalog.load(CATALOG).points}


@pytest.fixture
def scene(narration_cluster: Cluster, narration: Narration, points: dict[str, Point]) -> Scene:
    """One scenario's cluster, narration and jobs."""
    return Scene(narration_cluster, narration, points)
