"""Commands find the project's files where its ini file says, as a test run does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_narration.cli import main

from .samples import SHOP, checkout, save, started

Out = pytest.CaptureFixture[str]

INI_FILES = {
    "pytest.toml": '[pytest]\nnarration_data_file = "out/data"\n'
    'narration_catalog = ["c/shop.toml"]',
    "pytest.ini": "[pytest]\nnarration_data_file = out/data\nnarration_catalog =\n  c/shop.toml",
    "pyproject.toml": '[tool.pytest.ini_options]\nnarration_data_file = "out/data"\n'
    'narration_catalog = "c/shop.toml"',
    "tox.ini": "[pytest]\nnarration_data_file: out/data\nnarration_catalog: c/shop.toml",
    "setup.cfg": "[tool:pytest]\nnarration_data_file=out/data\nnarration_catalog=c/shop.toml",
}


@pytest.mark.parametrize("name", INI_FILES)
def test_commands_read_the_data_file_that_the_ini_file_names(
    here: Path, name: str, capsys: Out
) -> None:
    (here / name).write_text(INI_FILES[name])
    (here / "out").mkdir()
    save(Path("out/data"), started(), checkout())

    assert main(["report", "json:report.json"]) == 0

    assert json.loads(Path("report.json").read_text("utf-8"))["total"]["covered"] == 1


def test_the_native_table_of_pyproject_is_read_too(here: Path, capsys: Out) -> None:
    (here / "pyproject.toml").write_text('[tool.pytest]\nnarration_data_file = "data"')
    save(Path("data"), started())

    assert main(["report"]) == 0


def test_shards_are_sought_and_written_where_the_ini_file_says(here: Path, capsys: Out) -> None:
    (here / "pytest.ini").write_text(INI_FILES["pytest.ini"])
    (here / "out").mkdir()
    save(Path("out/data.1"), started())
    save(Path("out/data.2"), checkout())

    assert main(["combine"]) == 0

    assert "Combined 2 files into out/data" in capsys.readouterr().out


def test_a_command_in_a_folder_of_the_project_finds_its_data(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    (here / "pyproject.toml").touch()
    save(Path(".narration-coverage"), started())
    (here / "src").mkdir()
    monkeypatch.chdir(here / "src")

    assert main(["report", "json:report.json"]) == 0
    assert (here / "src" / "report.json").is_file()


def test_a_report_holds_the_minimum_that_the_ini_file_names(here: Path, capsys: Out) -> None:
    (here / "pytest.ini").write_text("[pytest]\nnarration_fail_under =\n  26\n  hops=0\n")
    save(Path(".narration-coverage"), started())

    assert main(["report"]) == 1
    assert "FAIL Required narration coverage of 26% not reached" in capsys.readouterr().out
    assert main(["report", "--fail-under=25"]) == 0


def test_the_variable_comes_before_the_ini_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    (here / "pytest.ini").write_text(INI_FILES["pytest.ini"])
    save(Path("mine"), started())
    monkeypatch.setenv("NARRATION_COVERAGE_FILE", "mine")

    assert main(["report"]) == 0


@pytest.mark.parametrize("name", INI_FILES)
def test_the_catalog_command_takes_the_catalog_that_the_ini_file_names(
    here: Path, name: str, capsys: Out
) -> None:
    (here / name).write_text(INI_FILES[name])
    (here / "c").mkdir()
    (here / "c" / "shop.toml").write_text(SHOP)

    assert main(["catalog", "check"]) == 0

    assert "c/shop.toml: 5 points, no drift" in capsys.readouterr().out


def test_the_check_compares_all_catalogs_and_a_scan_asks_which(here: Path, capsys: Out) -> None:
    (here / "pytest.ini").write_text("[pytest]\nnarration_catalog =\n  a.toml\n  b.toml\n")
    (here / "a.toml").write_text(SHOP)
    (here / "b.toml").write_text('catalog = 1\n[groups.bank]\nservice = "bank"\n')
    (here / "source.py").touch()

    assert main(["catalog", "check"]) == 0
    assert "a.toml, b.toml: 5 points, no drift" in capsys.readouterr().out
    assert main(["catalog", "scan", "source.py"]) == 2
    assert "a.toml, b.toml; name one with --catalog" in capsys.readouterr().err


def test_an_ini_file_that_cannot_be_read_is_told(here: Path, capsys: Out) -> None:
    (here / "pyproject.toml").write_text("[tool.pytest")

    assert main(["report"]) == 2

    assert "pyproject.toml cannot be read" in capsys.readouterr().err
