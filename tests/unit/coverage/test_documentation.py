"""What the page on coverage shows is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_narration.cli import COMMANDS
from pytest_narration.coverage.gate import DIMENSIONS
from pytest_narration.coverage.report import FORMATS

from .samples import shop

_DOCS = Path(__file__).parents[3] / "docs"
_PAGE = (_DOCS / "coverage.md").read_text(encoding="utf-8")


def test_the_catalog_on_the_page_can_be_loaded(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", _PAGE, re.DOTALL)
    assert found

    catalog = shop(tmp_path, found[1])

    assert {p.id for p in catalog.points} == {"cart.checkout", "cart.gpu", "cart.legacy"}
    assert catalog.capabilities == {"cuda": False}


def test_every_report_dimension_and_command_is_on_the_page() -> None:
    for name in FORMATS:
        assert f"`{name}`" in _PAGE
    for name in DIMENSIONS:
        assert f"| `{name}` |" in _PAGE
    for name in ("report", "combine", "coverage", "catalog"):
        assert name in COMMANDS
        assert f"narration {name}" in _PAGE
