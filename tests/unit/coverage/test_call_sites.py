"""Finding the lines that narrate, by parsing only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_narration.coverage.call_sites import scan_source, scan_tree
from pytest_narration.coverage.locations import locate

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
        (14, "log", "*", "slow {count}", "warn"),
        (15, "log", "bound", "bound", "info"),
        (16, "log", "broken", "broken", "error"),
    ]
    assert sites[0].actor == "cart"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("L = structlog.get_logger()\nL.info('bought')", ("bought", "bought", "info")),
        ("class A:\n  out: X = getLogger('x')\n  out.warning('low')", ("low", "low", "warn")),
        ("applogger.error('broken')", ("broken", "broken", "error")),
        ("log.log(logging.WARNING, 'low %d', left)", ("*", "low {left}", "warn")),
        ("logger.success('paid')", ("paid", "paid", "info")),
        ("logger.info('User %s asked', name)", ("*", "User {name} asked", "info")),
    ],
)
def test_loggers_are_found_by_their_name_and_by_where_they_come_from(
    source: str, expected: tuple[str, str, str]
) -> None:
    (site,) = scan_source(source, Path("cart.py"))

    assert (site.action, site.text, site.level) == expected


_EMIT = "from pytest_narration.emit import"
_STARTED = ("job_run_started", "Started run {job_run_id} of job {job_id} (attempt {attempt})")
_ENDED = [
    ("job_run_completed",
     "Completed run {job_run_id} of job {job_id} (attempt {attempt}, {duration_ms} ms)", "info"),
    ("job_run_failed",
     "Run {job_run_id} of job {job_id} failed (attempt {attempt}): {error_kind}", "error"),
]  # fmt: skip
_LAYER = [
    ("layer_completed", "Completed {layer} in {latency_ms} ms ({outcome})", "info"),
    ("layer_started", "Started {layer}", "info"),
    ("layer_failed", "{layer} failed after {latency_ms} ms: {error_kind}", "error"),
]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("narrate_auto('cache_reset', 'Emptied {entries}', entries=1)",
         [("cache_reset", "Emptied {entries}", "info")]),
        ("narrate_auto('cache_reset', actor='kv', level='warn', entries=1, trace_id=t)",
         [("cache_reset", "Cache reset (entries {entries})", "warn")]),
        ("narrate_auto('cache_reset')", [("cache_reset", "Cache reset", "info")]),
        ("narrate_auto('cache_reset', **fields)", []),
        ("narrate('cache_reset')", []),
        ("emit.narrate_with_otel_context('charge', 'Charged {amount}', amount=1)",
         [("charge", "Charged {amount}", "info")]),
        (f"{_EMIT} narrate as say\nsay('a', 'b')", [("a", "b", "info")]),
        (f"{_EMIT} start_job_run as begin\nrun = begin(job_id, attempt=2)", [(*_STARTED, "info")]),
        ("end_job_run(run, error)", _ENDED),
        ("with job_run(job_id): pass", [*_ENDED, (*_STARTED, "info")]),
        ("import pytest_narration.emit as e\nwith e.layer(name): pass", _LAYER),
        (f"{_EMIT} layer as step\n@step('enrich')\nasync def enrich(): pass", _LAYER),
        ("emit.layer('a', level='debug')",
         [(*_LAYER[0][:2], "debug"), (*_LAYER[1][:2], "debug"), _LAYER[2]]),
        ("def layer(n): pass\nlayer('conv')\nself.layer('conv')\nnn.layer('conv')", []),
    ],
)  # fmt: skip
def test_a_helper_is_a_site_of_each_event_that_it_narrates(
    source: str, expected: list[tuple[str, str, str]]
) -> None:
    found = scan_source(source, Path("cart.py"))

    assert [(s.action, s.text, s.level) for s in found] == expected
    assert {s.kind for s in found} <= {"narrate"}


def test_what_the_helpers_narrate_is_what_their_sites_say(tmp_path: Path) -> None:
    """A service that calls them all has no event that a scan of its source did not foresee."""
    source = tmp_path / "shop.py"
    source.write_text(
        """\
from pytest_narration.emit import (
    configure, end_job_run, job_run, layer, narrate_auto, narrate_with_otel_context, start_job_run)

configure("shop", "1.0")
narrate_auto("cache_reset", entries=12, level="info")
narrate_with_otel_context("charge", "Charged {amount}", amount=12)
with job_run("j"), layer("pick"):
    pass
end_job_run(start_job_run("j"), "LATE")
try:
    with layer("pack"):
        raise TimeoutError
except TimeoutError:
    pass
""",
        encoding="utf-8",
    )
    printed = subprocess.run(
        [sys.executable, str(source)], capture_output=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ).stdout  # fmt: skip
    events = [json.loads(line) for line in printed.splitlines()]

    told = {(event["action"], event["template"]) for event in events}
    foreseen = {(site.action, site.text) for site in scan_tree(source)}
    assert told == foreseen
    assert len(told) == 8


@pytest.mark.parametrize(
    "source",
    ["log.info(f'{a} {b}')", "log.info('%s', text)", "log.info('%s' % text)", "log.info()"],
)
def test_a_log_call_without_words_of_its_own_is_no_site(source: str) -> None:
    """A point of it would take the events of all others."""
    assert scan_source(source, Path("cart.py")) == []


@pytest.mark.parametrize(
    "source",
    [
        b'\xef\xbb\xbfnarrate("a", "r\xc3\xa9sum\xc3\xa9")',
        b'# coding: latin-1\nnarrate("a", "r\xe9sum\xe9")',
        b'narrate("a", "r\xc3\xa9sum\xc3\xa9", "\\d")',
    ],
)
def test_source_is_decoded_as_python_does_and_doubtful_escapes_hide_nothing(
    tmp_path: Path, source: bytes
) -> None:
    (tmp_path / "a.py").write_bytes(source)

    assert [site.text for site in scan_tree(tmp_path)] == ["résumé"]


def test_words_that_a_module_gives_names_are_found() -> None:
    source = 'GO = "startup"\nUP: Final = "Up"\nnarrate(GO, UP, actor=OTHER, level="warn")'

    (site,) = scan_source(source, Path("cart.py"))

    assert (site.action, site.text, site.actor, site.level) == ("startup", "Up", None, "warn")


def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("nowhere")
    (tmp_path / "b.py").write_text("def :", encoding="utf-8")
    (tmp_path / "c.py").write_bytes(b"\0")
    (tmp_path / "d.py").write_text(f"x = {'(' * 500}{')' * 500}", encoding="utf-8")
    told: dict[str, str] = {}

    assert list(scan_tree(tmp_path, lambda path, why: told.update({path.name: why}))) == []

    assert list(told) == ["a.py", "b.py", "c.py", "d.py"]
    assert told["a.py"] == "No such file or directory"
    assert told["b.py"] == "not Python as this version reads it: invalid syntax (line 1)"


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


def test_a_point_of_a_step_is_located_where_the_step_is_made(tmp_path: Path) -> None:
    (tmp_path / "cart.py").write_text(
        'from pytest_narration.emit import layer\n\nwith layer("warm"):\n    pass\n', "utf-8"
    )
    text = SHOP.replace('action = "startup"\nhuman = "Starting on port {port}"',
                        'action = "layer_started"\nhuman = "Started {layer}"')  # fmt: skip
    text = text.replace('human = "Started', 'call_site = "cart.py"\nhuman = "Started')

    assert str(locate(shop(tmp_path, text), base=tmp_path)["cart.start"]) == "cart.py:3"


def test_a_template_that_travels_through_a_variable_is_located_by_its_literal(
    tmp_path: Path,
) -> None:
    (tmp_path / "cart.py").write_text(
        'WORDS = {\n  "x": "Starting on port {port}",\n}\n', encoding="utf-8"
    )
    text = SHOP.replace('human = "Start', 'call_site = "cart.py"\nhuman = "Start')

    assert locate(shop(tmp_path, text), base=tmp_path)["cart.start"].line == 2


def test_what_a_logger_fills_in_is_located_by_its_template_or_pattern(tmp_path: Path) -> None:
    (tmp_path / "cart.py").write_text(
        "log.info('Starting on port %d', port)\nlog.info('paid %d EUR', sum)\n", encoding="utf-8"
    )
    text = SHOP.replace('human = "Start', 'call_site = "cart.py"\nhuman = "Start').replace(
        "pattern =", 'call_site = "cart.py"\npattern ='
    )
    text = text.replace('action = "startup"', 'action = "*"').replace(
        'action = "paid"', 'action = "*"'
    )

    found = locate(shop(tmp_path, text), base=tmp_path)

    assert (found["cart.start"].line, found["till.paid"].line) == (1, 2)


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
