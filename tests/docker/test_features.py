"""The features, unchanged, on containers: what is approved there is what processes tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SECONDS = 1200.0
_SHOWN_LINES = 150
_FEATURES = [
    *(sys.executable, "-m", "pytest", "tests/scenarios", "--numprocesses=2"),
    *("-o", "narration_cluster=harness.cluster:docker_cluster", "-p", "no:cacheprovider"),
    *("--narration-coverage", "--narration-fail-under=80"),
]


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "FORCE_COLOR"))}
    return {**kept, "NARRATION_COVERAGE_FILE": str(folder / "coverage")}


def _there(engine: Any) -> dict[str, set[str]]:
    return {
        "containers": {each.name for each in engine.containers.list(all=True, ignore_removed=True)},
        "networks": {each.name for each in engine.networks.list()},
        "volumes": {each.name for each in engine.volumes.list()},
    }


def test_every_feature_holds_on_containers_with_the_same_stories_and_nothing_stays(
    engine: Any, images: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _there(engine)
    told = tmp_path / "told.txt"
    with told.open("w") as out:
        features = subprocess.Popen(
            _FEATURES,
            cwd=_ROOT,
            env=_environment(tmp_path),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = features.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(features.pid, signal.SIGKILL)
            features.wait()
            status = -signal.SIGKILL
    lines = told.read_text(errors="replace").splitlines()
    if status != 0:
        print("\n".join(lines[-_SHOWN_LINES:]))
    assert status == 0, f"pytest ended with {status}; its last lines are above"
    with capsys.disabled():
        print(f"\non containers: {lines[-1].strip('= ')}")
    assert _there(engine) == before
