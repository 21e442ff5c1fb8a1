"""What README.md shows the example has; its code is Python; its links and commands exist."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys

import pytest

from .conftest import EXAMPLES, blocks

ROOT = EXAMPLES.parent
README = ROOT / "README.md"
BOOKSHOP = EXAMPLES / "bookshop"


@pytest.mark.parametrize(
    ("language", "path"), [("toml", "pyproject.toml"), ("gherkin", "features/orders.feature")]
)
def test_the_tour_shows_the_bookshop(language: str, path: str) -> None:
    [block] = blocks(README, language)

    assert block.strip() in (BOOKSHOP / path).read_text("utf-8")


def test_its_python_is_python() -> None:
    shown = list(blocks(README, "python"))

    assert shown
    for block in shown:
        ast.parse(block)


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:\s]+)\)", README.read_text("utf-8"))

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_targets_exist() -> None:
    targets = set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", README.read_text("utf-8")))
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert {"features", "test"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


@pytest.mark.parametrize("command", ["catalog scan", "steps"])
def test_a_command_it_names_is_one(command: str) -> None:
    assert f"narration {command}" in README.read_text("utf-8")
    line = [sys.executable, "-m", "pytest_narration.cli", *shlex.split(command), "--help"]

    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
