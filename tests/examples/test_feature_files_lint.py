"""The repository's feature files, read by a linter that editors and CI use."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import INSTALL_SECONDS, UNREACHABLE

ROOT = Path(__file__).parents[2]
LINTER = "gherkin-lint@4.2.4"
FOLDERS = ("features", "examples/bookshop/features")


def lint(*paths: str) -> subprocess.CompletedProcess[str]:
    """Run the linter with the repository's settings."""
    if shutil.which("npm") is None:
        pytest.skip(f"npm is not installed: {LINTER} runs on Node")
    command = ["npm", "exec", "--yes", f"--package={LINTER}", "--", "gherkin-lint", *paths]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "CI": "true"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"`{' '.join(command)}` did not end within {INSTALL_SECONDS} s")
    if any(code in done.stderr for code in UNREACHABLE):
        pytest.skip(f"no npm registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    return done


def test_the_linter_has_nothing_to_say_about_our_features() -> None:
    done = lint(*FOLDERS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_reads_our_settings(tmp_path: Path) -> None:
    """A scenario that the settings refuse: a trailing space, and a keyword said twice."""
    wrong = tmp_path / "wrong.feature"
    wrong.write_text("Feature: Wrong\n  Scenario: Twice\n    When a \n    When b\n", "utf-8")

    done = lint("--config", str(ROOT / ".gherkin-lintrc"), str(wrong))

    assert done.returncode == 1
    for rule in ("no-trailing-spaces", "use-and"):
        assert rule in done.stdout + done.stderr
