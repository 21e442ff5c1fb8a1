"""The command ``narration catalog scan``, and files that no action can use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_narration.cli import main
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.collector import Collector
from pytest_narration.coverage.results import analyse
from pytest_narration.event import Event
from pytest_narration.formats import reader
from pytest_narration.wire import encode

from .samples import SHOP, started

pytestmark = pytest.mark.usefixtures("here")
Out = pytest.CaptureFixture[str]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
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
_LOGGING = """
import logging, sys
from pythonjsonlogger.json import JsonFormatter

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
logging.basicConfig(handlers=[handler], level="INFO")
log = logging.getLogger("shop")
for name in ("bob", "alice"):
    log.info("User %s asked for %r", name, "shoes")
    log.warning(f"{name} has nothing left")
log.info("Closing")
"""


def test_scan_makes_a_catalog_of_source(here: Path, capsys: Out) -> None:
    (here / "src").mkdir()
    (here / "src" / "cart.py").write_text(_CART, encoding="utf-8")

    assert main(["catalog", "scan", "src"]) == 0

    catalog = Catalog.load("narration.toml")
    assert {p.id: (p.service, p.actor, p.text, p.reach, p.call_site) for p in catalog.points} == {
        "cart.startup": ("cart", "cart", "Starting on port {port}", "request", "src/cart.py"),
        "cart.wave": ("cart", "*", 'Waving "hello" at {who}', "error", "src/cart.py"),
        "cart.cache-warmed": ("cart", "*", "Cache warmed", "request", "src/cart.py"),
    }
    assert "3 points added" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_catalog_that_the_shell_made_empty_counts_as_absent(
    here: Path, capsys: Out, content: str
) -> None:
    """``narration catalog scan src > narration.toml``: the shell truncates the file first."""
    (here / "cart.py").write_text(_CART, encoding="utf-8")
    for arguments in (["scan", "cart.py"], ["learn", "log"]):
        (here / "log").write_bytes(encode(started()) + b"\n")
        (here / "narration.toml").write_text(content, encoding="utf-8")

        assert main(["catalog", *arguments]) == 0

        assert Catalog.load("narration.toml").points
        assert capsys.readouterr().out == ""


def test_a_catalog_may_be_where_stdout_is_redirected_to(here: Path) -> None:
    (here / "cart.py").write_text(_CART, encoding="utf-8")
    command = [sys.executable, "-m", "pytest_narration.cli", "catalog", "scan", "cart.py"]

    with Path("narration.toml").open("wb") as redirected:
        done = subprocess.run(
            command, stdout=redirected, stderr=subprocess.PIPE, env=_ENVIRONMENT, check=True
        )

    assert len(Catalog.load("narration.toml").points) == 3
    assert b"3 points added" in done.stderr


def test_scan_again_adds_only_what_is_missing_and_keeps_what_was_written(
    here: Path, capsys: Out
) -> None:
    (here / "cart.py").write_text(_CART, encoding="utf-8")
    written = SHOP.replace('id = "cart.start"', 'id = "cart.start"  # by hand')
    Path("narration.toml").write_text(written, encoding="utf-8")

    assert main(["catalog", "scan", "cart.py"]) == 0
    once = Path("narration.toml").read_text(encoding="utf-8")
    assert main(["catalog", "scan", "cart.py"]) == 0

    assert Path("narration.toml").read_text(encoding="utf-8") == once
    assert once.replace('call_site = "cart.py"\n', "", 1).startswith(written.rstrip())
    catalog = Catalog.load("narration.toml")
    assert catalog.point("cart.start").call_site == "cart.py"
    assert len(catalog.points) == 7


@pytest.mark.parametrize(
    "configured",
    ['configure("mail")', 'configure(service="mail")', 'NAME = "mail"\nemit.configure(NAME, "1")'],
)
def test_the_service_is_what_the_source_configures(here: Path, configured: str) -> None:
    Path("x.py").write_text(f'{configured}\nnarrate("a", "b")\n', encoding="utf-8")

    assert main(["catalog", "scan", "x.py"]) == 0
    assert Catalog.load("narration.toml").services == {"mail"}


def test_scan_of_a_service_without_a_name_asks_for_one(here: Path, capsys: Out) -> None:
    Path("x.py").write_text('narrate("a", "b")', encoding="utf-8")

    assert main(["catalog", "scan", "x.py"]) == 2
    assert "x.py:1: of which service is this?" in capsys.readouterr().err
    assert main(["catalog", "scan", "x.py", "--service", "mail"]) == 0
    assert Catalog.load("narration.toml").services == {"mail"}


def test_what_was_scanned_covers_what_its_loggers_write(here: Path) -> None:
    """The action of foreign events depends on the values, which source does not show."""
    Path("shop.py").write_text(_LOGGING, encoding="utf-8")
    done = subprocess.run([sys.executable, "shop.py"], capture_output=True, check=True)
    assert main(["catalog", "scan", "shop.py", "--service", "shop"]) == 0
    catalog = Catalog.load("narration.toml")
    collector = Collector(catalog)

    for event in reader(service="shop").feed(done.stdout):
        assert isinstance(event, Event)
        collector.add(event)

    results = analyse(catalog, collector.take())
    assert [(p.point.id, p.state) for p in results.points] == [
        ("shop.user-name-asked-for-value", "covered"),
        ("shop.name-has-nothing-left", "covered"),
        ("shop.closing", "covered"),
    ]
    assert results.undeclared == ()


def test_call_sites_are_filled_in_wherever_a_table_ends(here: Path) -> None:
    Path("cart.py").write_text(
        'narrate("a", "Aa")\nnarrate("b", "Bb")\nnarrate("c", "Cc")\n', encoding="utf-8"
    )
    point = 'group = "cart"\nactor = "x"\n'
    written = (
        'catalog = 1\n[groups.cart]\nservice = "cart"\n'
        f'[[points]]\nid = "a"\naction = "a"\nhuman = "Aa"\n{point}'
        f'[[points]] # b\nid = "b"\naction = "b"\nhuman = "Bb"\n{point}ids = [\n\n "job_id",\n]\n'
        f'[[points]]\nid = "c"\naction = "c"\nhuman = "Cc"\n{point}# the end\n'
    )
    Path("narration.toml").write_text(written, encoding="utf-8")

    assert main(["catalog", "scan", "cart.py"]) == 0

    text = Path("narration.toml").read_text(encoding="utf-8")
    assert [p.call_site for p in Catalog.load("narration.toml").points] == ["cart.py"] * 3
    assert text.replace('call_site = "cart.py"\n', "") == written


def test_a_catalog_that_cannot_be_added_to_stays_as_it_was(here: Path, capsys: Out) -> None:
    written = 'catalog = 1\ngroups.cart.service = "cart"\npoints = []\n'
    Path("narration.toml").write_text(written, encoding="utf-8")
    Path("cart.py").write_text(_CART, encoding="utf-8")

    assert main(["catalog", "scan", "cart.py"]) == 2

    assert Path("narration.toml").read_text(encoding="utf-8") == written
    assert "narration.toml stays as it was" in capsys.readouterr().err


def test_line_ends_stay_as_they_are(here: Path) -> None:
    Path("cart.py").write_text(_CART, encoding="utf-8")
    Path("narration.toml").write_bytes(SHOP.replace("\n", "\r\n").encode())

    assert main(["catalog", "scan", "cart.py"]) == 0

    lines = Path("narration.toml").read_bytes().split(b"\n")
    assert all(line.endswith(b"\r") for line in lines[:-1])
    assert len(Catalog.load("narration.toml").points) == 7


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["scan", "cart.py", "--catalog", "folder"], "catalog folder cannot be read: Is a dir"),
        (["scan", "cart.py", "--catalog", "a/b.toml"], "catalog a/b.toml cannot be written: No"),
        (["scan", "cart.py", "--catalog", "latin.toml"], "latin.toml:1: the catalog is not UTF-8"),
        (["learn", "folder"], "capture folder cannot be read: Is a directory"),
        (["learn", "cart.py", "--catalog", "bad/n.toml"], "bad/pyproject.toml cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_exits_with_2_and_says_why(
    here: Path, capsys: Out, arguments: list[str], expected: str
) -> None:
    Path("cart.py").write_text(_CART, encoding="utf-8")
    Path("latin.toml").write_bytes(b"# caf\xe9")
    Path("folder").mkdir()
    Path("bad").mkdir()
    Path("bad/pyproject.toml").write_text("=", encoding="utf-8")

    assert main(["catalog", *arguments]) == 2
    assert expected in capsys.readouterr().err


def test_scan_tells_of_source_that_it_leaves_out(here: Path, capsys: Out) -> None:
    Path("cart.py").write_text(_CART, encoding="utf-8")
    Path("broken.py").write_text("def :", encoding="utf-8")

    assert main(["catalog", "scan", "."]) == 0

    assert "broken.py is left out: not Python as" in capsys.readouterr().err


def test_call_sites_are_relative_to_the_root_that_an_empty_catalog_states(here: Path) -> None:
    Path("src").mkdir()
    Path("src/cart.py").write_text(_CART, encoding="utf-8")
    Path("conf").mkdir()
    Path("conf/narration.toml").write_text('catalog = 1\n[system]\nroot = ".."\n', encoding="utf-8")

    assert main(["catalog", "scan", "src", "--catalog", "conf/narration.toml"]) == 0

    points = Catalog.load("conf/narration.toml").points
    assert {point.call_site for point in points} == {"src/cart.py"}


def test_a_pattern_written_for_a_call_is_not_scanned_again(here: Path, capsys: Out) -> None:
    Path("cart.py").write_text("log.info('synced %d rows', rows)\n", encoding="utf-8")
    text = SHOP + '[[points]]\nid = "s"\ngroup = "cart"\nactor = "*"\naction = "synced_rows"\n'
    Path("narration.toml").write_text(text + r"pattern = 'synced \d+ rows'", encoding="utf-8")

    assert main(["catalog", "scan", "cart.py", "--service", "cart"]) == 0
    assert "nothing to add" in capsys.readouterr().err
