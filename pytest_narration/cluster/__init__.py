"""A user's services as ``pyproject.toml`` describes them -> a running cluster that is recorded.

The fixture ``narration_cluster`` enters :func:`configured_cluster` when the project has the table
``[tool.narration.cluster]``; steps of scenarios start and stop single services with it.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..recorder import Recorder
from .cluster import Cluster
from .duration import DURATION, seconds
from .service import Service
from .settings import ClusterSettings, ServiceSettings, cluster_settings, service_settings

__all__ = [
    "DURATION",
    "Cluster",
    "ClusterSettings",
    "Service",
    "ServiceSettings",
    "cluster_settings",
    "configured_cluster",
    "seconds",
    "service_settings",
]


def configured_cluster(recorder: Recorder, root: Path) -> Cluster:
    """Return the cluster that the ``pyproject.toml`` in ``root`` describes, to be entered.

    :raises ConfigurationError: the table is wrong, or there is none.
    """
    settings = cluster_settings(root, own=recorder.formats)
    if settings.is_empty:
        raise ConfigurationError(
            f"{root / 'pyproject.toml'} has no table [tool.narration.cluster.services.NAME]"
        )
    return Cluster(settings, recorder)
