"""Narration coverage: points exercised out of points declared, per channel.

The data flow, file by file: ``catalog`` (what is declared) and ``collector`` (what is seen) meet
in ``results``; ``data`` is what is saved and merged in between; ``report`` shows it.
"""

from __future__ import annotations

from .catalog import Catalog, Group, Hop, Point, Signature
from .collector import Collector
from .data import CoverageData
from .gate import Figure, Gate, parse_gates
from .results import PointResult, Results, analyse

__all__ = [
    "Catalog",
    "Collector",
    "CoverageData",
    "Figure",
    "Gate",
    "Group",
    "Hop",
    "Point",
    "PointResult",
    "Results",
    "Signature",
    "analyse",
    "parse_gates",
]
