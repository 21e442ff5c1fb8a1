"""The commands ``narration report``, ``combine``, ``coverage`` and ``catalog``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pytest_narration.cli import COMMANDS, main
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.collector import Collector
from pytest_narration.coverage.data import CoverageData
from pytest_narration.event import Event
from pytest_narration.wire import encode

from .samples import SHOP, checkout, shop, started

_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _save(path: Path, *events: Event) -> None:
    catalog = shop(Path())
    collector = Collector(catalog)
    for event in events:
        collector.add(event, context="test_a")
    data = collector.take()
    data.catalogs = {"narration.toml"}
    data.save(path)


def test_report_prints_what_a_run_would_have_printed(here: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started(), checkout())

    assert main(["report"]) == 0

    out = capsys.readouterr().out
    assert "TOTAL        5         1         1        2          1    25.00%" in out
    assert "cart.refused  narration.toml:34" in out


def test_report_writes_files_and_gates(here: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started())

    assert main(["report", "--fail-under=26", "json:out.json", "term"]) == 1

    assert json.loads(Path("out.json").read_text("utf-8"))["total"]["percent"] == 25.0
    assert "FAIL Required narration coverage of 26% not reached" in capsys.readouterr().err
    assert main(["report", "--fail-under=25", "term"]) == 0


def test_report_of_a_run_without_events_is_an_error(here: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"))

    assert main(["report", "--fail-under=0"]) == 1
    assert "ERROR: no narration event was seen" in capsys.readouterr().out


def test_shards_combine_to_the_figures_of_one_run(here: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage.1"), started())
    _save(Path(".narration-coverage.2"), checkout())
    _save(Path("whole"), checkout(), started())

    assert main(["combine"]) == 0
    assert main(["combine", ".narration-coverage.2", "--append"]) == 0

    assert CoverageData.read(Path(".narration-coverage")) == CoverageData.read(Path("whole"))


def test_combining_nothing_says_how_shards_get_files(here: Path, capsys: Out) -> None:
    assert main(["combine"]) == 2
    assert "NARRATION_COVERAGE_FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["report", "--data", "gone"], "gone cannot be read"),
        (["report", "pdf"], "choose from term"),
        (["report", "--fail-under=x"], "expected a number from 0 to 100"),
        (["catalog", "check", "--catalog", "gone.toml"], "gone.toml cannot be read"),
        (["catalog", "scan", "gone"], "no such file or folder: gone"),
        (["catalog", "learn", "gone.log"], "gone.log cannot be read"),
    ],
)
def test_wrong_input_exits_with_2_and_says_why(
    capsys: Out, arguments: list[str], expected: str
) -> None:
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err


def test_help_lists_every_command(capsys: Out) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    out = capsys.readouterr().out
    assert ended.value.code == 0
    for name, (_, about) in COMMANDS.items():
        assert name in out
        assert about.split(",")[0] in out


@pytest.mark.parametrize("command", list(COMMANDS))
def test_each_command_explains_itself(capsys: Out, command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert f"usage: narration {command}" in capsys.readouterr().out


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


def test_scan_makes_a_catalog_of_source(here: Path, capsys: Out) -> None:
    (here / "src").mkdir()
    (here / "src" / "cart.py").write_text(_CART, encoding="utf-8")

    assert main(["catalog", "scan", "src"]) == 0

    catalog = Catalog.load("narration.toml")
    assert {p.id: (p.service, p.actor, p.text, p.reach, p.call_site) for p in catalog.points} == {
        "cart.startup": ("cart", "cart", "Starting on port {port}", "request", "src/cart.py"),
        "cart.wave": ("cart", "cart", 'Waving "hello" at {who}', "error", "src/cart.py"),
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


def test_the_help_of_scan_and_learn_explains_service(capsys: Out) -> None:
    for action, expected in (
        ("scan", 'needed where no call of configure("NAME") is near'),
        ("learn", "the service of events that name none"),
    ):
        with pytest.raises(SystemExit):
            main(["catalog", action, "--help"])
        assert expected in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_written_exits_with_2_and_says_why(here: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started())
    (here / "folder").mkdir()

    assert main(["report", "json:folder"]) == 2
    assert main(["combine", ".narration-coverage", "--output=folder"]) == 2

    told = capsys.readouterr().err.splitlines()
    assert told == [
        "narration report: the report json cannot be written to folder: Is a directory",
        "narration combine: coverage data folder cannot be written: Is a directory",
    ]


def test_report_of_a_run_of_other_services_only_names_them(here: Path, capsys: Out) -> None:
    foreign = msgspec.structs.replace(started(), service="web")
    nameless = msgspec.structs.replace(started(), service=None)
    _save(Path(".narration-coverage"), foreign, nameless)

    assert main(["report", "--fail-under=0"]) == 1

    out = capsys.readouterr().out
    assert "Events came from services (events that name none), web." in out
    assert "The catalog declares services cart, till." in out


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


def test_scan_of_a_service_without_a_name_asks_for_one(here: Path, capsys: Out) -> None:
    Path("x.py").write_text('narrate("a", "b")', encoding="utf-8")

    assert main(["catalog", "scan", "x.py"]) == 2
    assert "x.py:1: of which service is this?" in capsys.readouterr().err
    assert main(["catalog", "scan", "x.py", "--service", "mail"]) == 0
    assert Catalog.load("narration.toml").services == {"mail"}


def test_learn_makes_a_catalog_of_captured_output(here: Path, capsys: Out) -> None:
    lines = [
        encode(checkout()),
        encode(checkout(job_id=None)),
        encode(Event(service="till", actor="till", action="paid", human="paid 12 EUR")),
        encode(Event(service="till", actor="till", action="paid", human="paid 13 EUR")),
        b'{"level":30,"time":1700000000000,"name":"mail","msg":"mail sent"}\n',
        b"not an event\n",
    ]
    Path("capture.log").write_bytes(b"".join(lines))

    assert main(["catalog", "learn", "capture.log"]) == 2
    assert "names no service: 'mail sent'; give --service NAME" in capsys.readouterr().err
    assert main(["catalog", "learn", "capture.log", "--service", "mail"]) == 0

    catalog = Catalog.load("narration.toml")
    assert {(p.service, p.text, p.ids) for p in catalog.points} == {
        ("cart", "Checked out {items} items", ("correlation_id",)),
        ("till", "paid {value} EUR", ()),
        ("mail", "mail sent", ()),
    }
    assert main(["catalog", "learn", "capture.log", "--service", "mail"]) == 0
    assert "nothing to add, 3 points" in capsys.readouterr().err


def test_what_was_learned_covers_the_run_it_was_learned_from(here: Path) -> None:
    events = [
        checkout(),
        Event(service="till", actor="till", action="paid", human="paid 12 EUR for 0b1c2d3e4f"),
        Event(service="till", actor="till", action="up", human="on 127.0.0.1:8080"),
    ]
    Path("capture.log").write_bytes(b"".join(map(encode, events)))
    main(["catalog", "learn", "capture.log"])
    catalog = Catalog.load("narration.toml")
    collector = Collector(catalog)
    for event in events:
        collector.add(event)

    from pytest_narration.coverage.results import analyse

    assert [p.state for p in analyse(catalog, collector.take()).points] == ["covered"] * 3


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


@pytest.fixture
def repository(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose base has the shop's catalog and source."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "a")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.org")
    shop(here)
    Path("cart.py").write_text('narrate("startup", "Starting on port {port}")\n', encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "base"], ["tag", "base"]):
        subprocess.run(["git", *command], check=True, cwd=here)
    return here


_NEW_POINT = """
[[points]]
id = "cart.wave"
group = "cart"
actor = "cart"
action = "wave"
human = "Waving"
"""


def test_a_change_that_adds_an_untested_point_fails(repository: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started())
    Path("narration.toml").write_text(SHOP + _NEW_POINT, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1

    assert capsys.readouterr().out.splitlines() == [
        "Narration added since base: 0 of 1 points covered",
        "  missed: cart.wave “Waving” narration.toml:60",
        "    never seen",
    ]


def test_a_change_that_tests_what_it_adds_passes(repository: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), checkout(action="wave", template="Waving"))
    Path("narration.toml").write_text(SHOP + _NEW_POINT, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 0
    assert "1 of 1 points covered" in capsys.readouterr().out


def test_a_change_of_words_is_a_new_point(repository: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started())
    text = SHOP.replace("Starting on port {port}", "Listening on port {port}")
    Path("narration.toml").write_text(text, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1
    assert "missed: cart.start" in capsys.readouterr().out


def test_a_change_that_narrates_what_no_point_declares_fails(repository: Path, capsys: Out) -> None:
    _save(Path(".narration-coverage"), started())
    with Path("cart.py").open("a", encoding="utf-8") as file:
        file.write('narrate("wave", "Waving")\n')
    Path("untracked.py").write_text('narrate("nod", "Nodding")\n', encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1

    out = capsys.readouterr().out
    assert "in no catalog: narrate('wave', 'Waving') cart.py:2" in out
    assert "in no catalog: narrate('nod', 'Nodding') untracked.py:1" in out


def test_a_change_without_narration_passes_and_an_unknown_base_is_named(
    repository: Path, capsys: Out
) -> None:
    _save(Path(".narration-coverage"), started())

    assert main(["coverage", "--diff", "base"]) == 0
    assert main(["coverage", "--diff", "no-such-branch"]) == 2
    assert "no-such-branch" in capsys.readouterr().err
