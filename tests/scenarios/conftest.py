"""Binds the phrases of ``steps/`` and the cluster to the scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import Cluster
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.fixtures import Narration
from steps.faults import *
from steps.outcomes import *
from steps.requests import *
from steps.scene import Scene
from steps.services import *

CATALOG = Path(__file__).parents[2] / "harness" / "narration.toml"


@pytest.fixture
def scene(narration_cluster: Cluster, narration: Narration) -> Scene:
    """One scenario's cluster, narration and jobs."""
    return Scene(
        narration_cluster,
        narration,
        {point.id: point for point in Catalog.load(CATALOG).points},
    )
