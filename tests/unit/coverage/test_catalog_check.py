"""The command ``narration catalog check``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_narration.cli import main
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.collector import Collector

from .samples import SHOP, checkout, shop

pytestmark = pytest.mark.usefixtures("here")
Out = pytest.CaptureFixture[str]
_CART = """
from pytest_narration.emit import configure, narrate
import logging
log = logging.getLogger(__name__)
configure("cart")

def start(port):
    narrate("startup", "Starting on port {port}", actor="cart", port=port)
    narrate("wave", "Waving \\"hello\\" at {who}", level="warn")
    log.info("Cache warmed")
"""


def test_check_reports_each_kind_of_drift_with_its_place(here: Path, capsys: Out) -> None:
    Path("cart.py").write_text(_CART, encoding="utf-8")
    text = SHOP.replace('id = "cart.refused"', 'id = "cart.refused"\ncall_site = "cart.py"')
    Path("narration.toml").write_text(text, encoding="utf-8")
    catalog = Catalog.load("narration.toml")
    collector = Collector(catalog)
    collector.add(checkout(action="sing", template="Singing"))
    collector.take().save(Path(".narration-coverage"))

    assert main(["catalog", "check", "cart.py"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "cart.py:9: narrate('wave', 'Waving \"hello\" at {who}') is declared by no point",
        ".narration-coverage: cart: cart sing “Singing” was seen and is declared by no point",
        "narration.toml:34: point 'cart.refused' is in no line of cart.py",
    ]


def test_check_without_drift_says_so(here: Path, capsys: Out) -> None:
    shop(here)

    assert main(["catalog", "check"]) == 0
    assert capsys.readouterr().out == "narration.toml: 5 points, no drift\n"


def _with_call_site(point: str, call_site: str) -> None:
    text = SHOP.replace(f'id = "{point}"', f'id = "{point}"\ncall_site = "{call_site}"')
    Path("narration.toml").write_text(text, encoding="utf-8")


def test_check_looks_for_words_though_the_catalog_gives_a_line(here: Path, capsys: Out) -> None:
    Path("cart.py").write_text(_CART, encoding="utf-8")
    _with_call_site("cart.refused", "cart.py:7")

    assert main(["catalog", "check"]) == 1
    assert "point 'cart.refused' is in no line of cart.py:7" in capsys.readouterr().out


def test_words_that_another_action_says_are_no_words_of_the_point(here: Path, capsys: Out) -> None:
    Path("cart.py").write_text(
        'narrate("refused", "Payment refused: {error_kind}", actor="cart")', encoding="utf-8"
    )
    _with_call_site("cart.refused", "cart.py")

    assert main(["catalog", "check"]) == 1
    assert "point 'cart.refused' is in no line of cart.py" in capsys.readouterr().out

    with Path("cart.py").open("a", encoding="utf-8") as file:
        file.write('\nWORDS = {"error": "Payment refused: {error_kind}"}\n')
    assert main(["catalog", "check"]) == 0


@pytest.mark.parametrize(("there", "code"), [(True, 0), (False, 1)])
def test_check_looks_for_files_of_other_languages(here: Path, there: bool, code: int) -> None:
    if there:
        Path("main.go").write_text("package main", encoding="utf-8")
    _with_call_site("cart.refused", "main.go:1")

    assert main(["catalog", "check"]) == code


def test_check_does_not_look_for_the_words_of_a_pattern(here: Path) -> None:
    Path("till.py").write_text("log.info(words)", encoding="utf-8")
    _with_call_site("till.paid", "till.py")

    assert main(["catalog", "check"]) == 0


def test_check_says_what_it_could_not_compare(here: Path, capsys: Out) -> None:
    shop(here)

    assert main(["catalog", "check"]) == 0

    assert capsys.readouterr().err.splitlines() == [
        "not compared with source: no PATH was given",
        "not compared with events: none in .narration-coverage; pytest --narration-coverage "
        "saves them",
    ]
