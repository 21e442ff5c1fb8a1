"""Finding the lines that narrate, by parsing only."""

from __future__ import annotations

from pathlib import Path

from pytest_narration.coverage.call_sites import locate, scan_source, scan_tree

from .samples import SHOP, shop

_SOURCE = """\
import logging
log = logging.getLogger(__name__)

def start(port):
    narrate("startup", "Starting on port {port}", actor="cart", port=port)

async def checkout(items):
    emit.narrate(
        "checkout",
        "Checked out "
        "{items} items",
        level="warn",
    )
    log.warning(f"slow {items.count}")
    self._logger.bind(a=1).info("bound")
    structlog.get_logger().error("broken")
    catalog.info("not a logger")
    narrate(action, "dynamic")
"""


def test_calls_that_narrate_or_log_are_found_with_their_words() -> None:
    sites = scan_source(_SOURCE, Path("cart.py"))

    assert [(s.line, s.kind, s.action, s.text, s.level) for s in sites] == [
        (5, "narrate", "startup", "Starting on port {port}", "info"),
        (8, "narrate", "checkout", "Checked out {items} items", "warn"),
        (14, "log", "slow", "slow {count}", "warn"),
        (15, "log", "bound", "bound", "info"),
        (16, "log", "broken", "broken", "error"),
    ]
    assert sites[0].actor == "cart"


def test_a_point_is_located_in_the_file_or_folder_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "cart.py").write_text(_SOURCE, encoding="utf-8")
    text = SHOP.replace('human = "Start', 'call_site = "src/cart.py"\nhuman = "Start').replace(
        'human = "Checked', 'call_site = "src"\nhuman = "Checked'
    )

    found = locate(shop(tmp_path, text), base=tmp_path)

    assert {point: str(location) for point, location in found.items()} == {
        "cart.start": "src/cart.py:5",
        "cart.checkout": "src/cart.py:8",
    }


def test_a_template_that_travels_through_a_variable_is_located_by_its_literal(
    tmp_path: Path,
) -> None:
    (tmp_path / "cart.py").write_text(
        'WORDS = {\n  "x": "Starting on port {port}",\n}\n', encoding="utf-8"
    )
    text = SHOP.replace('human = "Start', 'call_site = "cart.py"\nhuman = "Start')

    assert locate(shop(tmp_path, text), base=tmp_path)["cart.start"].line == 2


def test_a_line_that_the_catalog_gives_serves_where_source_cannot_be_parsed(
    tmp_path: Path,
) -> None:
    (tmp_path / "main.go").write_text("package main\n", encoding="utf-8")
    text = SHOP.replace('human = "Start', 'call_site = "main.go:7"\nhuman = "Start')

    assert str(locate(shop(tmp_path, text), base=tmp_path)["cart.start"]) == "main.go:7"


def test_a_tree_is_scanned_past_files_that_do_not_parse_and_hidden_folders(
    tmp_path: Path,
) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "lib.py").write_text('narrate("a", "hidden")', encoding="utf-8")
    (tmp_path / "bad.py").write_text("def :", encoding="utf-8")
    (tmp_path / "good.py").write_text('narrate("a", "seen")', encoding="utf-8")

    assert [site.text for site in scan_tree(tmp_path)] == ["seen"]
