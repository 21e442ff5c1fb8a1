"""What this machine can do, as far as a point's ``requires`` asks: without importing torch.

A capability is present when a catalog says so, or when it is detected. Results add a third way:
an event of a point that requires it was seen.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .catalog import Point

__all__ = ["DETECTORS", "detect"]


def _has_cuda() -> bool:
    # The driver makes these nodes; WSL has dxg instead, with NVIDIA's library beside it.
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return True
    return Path("/dev/dxg").exists() and Path("/usr/lib/wsl/lib/libcuda.so.1").exists()


def _has_mps() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


DETECTORS: Mapping[str, Callable[[], bool]] = {"cuda": _has_cuda, "mps": _has_mps}
"""Capabilities that can be detected; any other is absent until a catalog states it."""


def detect(
    points: Iterable[Point],
    stated: Mapping[str, bool] | None = None,
    *,
    detectors: Mapping[str, Callable[[], bool]] = DETECTORS,
) -> dict[str, bool]:
    """Return ``{capability: present}`` for each one that a point requires."""
    stated = stated or {}
    found = {}
    for name in sorted({point.requires for point in points if point.requires}):
        found[name] = stated[name] if name in stated else detectors.get(name, lambda: False)()
    return found
