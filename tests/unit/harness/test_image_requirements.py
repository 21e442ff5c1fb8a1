"""What the images install is what the project says that its cluster and its emitter need."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_REQUIREMENTS = _ROOT / "harness" / "images" / "requirements"


def test_every_library_of_the_images_is_one_of_the_project_with_the_same_bound() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    known = [*project["project"]["dependencies"], *project["dependency-groups"]["cluster"]]
    bounds = {entry.partition(";")[0].strip() for entry in known}
    wanted = {
        line.strip()
        for path in _REQUIREMENTS.glob("*.txt")
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert wanted
    assert wanted - bounds == set()
