"""Detecting what a machine can do."""

from __future__ import annotations

from pathlib import Path

from pytest_narration.coverage.capabilities import detect

from .samples import shop


def test_only_required_capabilities_are_looked_for(tmp_path: Path) -> None:
    points = shop(tmp_path).points

    found = detect(points, detectors={"cuda": lambda: True, "mps": lambda: 1 / 0 > 0})

    assert found == {"cuda": True}


def test_what_a_catalog_states_is_not_looked_for(tmp_path: Path) -> None:
    points = shop(tmp_path).points

    assert detect(points, {"cuda": False}, detectors={"cuda": lambda: True}) == {"cuda": False}


def test_a_capability_without_a_detector_is_absent(tmp_path: Path) -> None:
    assert detect(shop(tmp_path).points, detectors={}) == {"cuda": False}
