"""The commands ``narration report`` and ``combine``, and what all commands share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pytest_narration.cli import COMMANDS, main
from pytest_narration.coverage.data import CoverageData

from .samples import checkout, save, started

pytestmark = pytest.mark.usefixtures("here")

Out = pytest.CaptureFixture[str]


def test_report_prints_what_a_run_would_have_printed(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started(), checkout())

    assert main(["report"]) == 0

    out = capsys.readouterr().out
    assert "TOTAL        5         1         1        2          1    25.00%" in out
    assert "cart.refused  narration.toml:34" in out


def test_report_writes_files_and_gates(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())

    assert main(["report", "--fail-under=26", "json:out.json", "term"]) == 1

    assert json.loads(Path("out.json").read_text("utf-8"))["total"]["percent"] == 25.0
    out, err = capsys.readouterr()
    assert out.count("FAIL Required narration coverage of 26% not reached") == 1
    assert err == ""
    assert main(["report", "--fail-under=25", "term"]) == 0


def test_the_reason_of_a_failure_is_told_without_a_report_on_the_terminal(
    here: Path, capsys: Out
) -> None:
    save(Path(".narration-coverage"), started())
    save(Path("empty"))

    assert main(["report", "--fail-under=26", "json:out.json"]) == 1
    assert capsys.readouterr().err == (
        "FAIL Required narration coverage of 26% not reached. Total: 25.00%\n"
    )
    assert main(["report", "--data=empty", "json:out.json"]) == 1
    assert "ERROR: no narration event was seen in the whole run" in capsys.readouterr().err


def test_report_of_a_run_without_events_is_an_error(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"))

    assert main(["report", "--fail-under=0"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("ERROR: no narration event was seen")
    assert "0.00%" not in out


def test_shards_combine_to_the_figures_of_one_run(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage.1"), started())
    save(Path(".narration-coverage.2"), checkout())
    save(Path("whole"), checkout(), started())

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


def test_a_command_whose_library_is_not_installed_names_the_extra(here: Path) -> None:
    code = (
        "import sys; sys.modules['pytest_bdd'] = None\n"
        "from pytest_narration.cli import main; sys.exit(main(['steps']))"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert ended.returncode == 2
    assert ended.stderr == (
        "narration steps: pytest-bdd is needed for this and is not installed: "
        'pip install "pytest-narration[bdd]"\n'
    )


def test_what_cannot_be_written_exits_with_2_and_says_why(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())
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
    save(Path(".narration-coverage"), foreign, nameless)

    assert main(["report", "--fail-under=0"]) == 1

    out = capsys.readouterr().out
    assert "Events came from services (events that name none), web." in out
    assert "The catalog declares services cart, till." in out


@pytest.mark.parametrize("data", ["out/deep/shard-1", "elsewhere/shard-1"])
def test_the_catalogs_of_a_run_are_found_wherever_its_data_is(
    here: Path, capsys: Out, data: str
) -> None:
    save(Path(data), started())

    assert main(["report", "--data", data]) == 0
    assert " narration.toml:34\n" in capsys.readouterr().out


def test_the_environment_names_the_data_for_every_command(
    here: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARRATION_COVERAGE_FILE", "mine")
    save(Path("mine.1"), started())
    save(Path("mine.2"), checkout())

    assert main(["combine"]) == 0
    assert main(["report", "term"]) == 0
    assert main(["catalog", "check"]) == 0

    out, err = capsys.readouterr()
    assert "Combined 2 files into mine: mine.1, mine.2" in out
    assert "not compared with events" not in err


def test_folders_are_searched_for_shards_as_artifacts_of_jobs_arrive(
    here: Path, capsys: Out
) -> None:
    save(Path("artifacts/one/.narration-coverage"), started())
    save(Path("artifacts/two/.narration-coverage.2"), checkout())

    assert main(["combine", "artifacts"]) == 0

    assert CoverageData.read(Path(".narration-coverage")).sightings.keys() == {
        sighting
        for path in Path("artifacts").rglob(".narration-coverage*")
        for sighting in CoverageData.read(path).sightings
    }
    Path("empty").mkdir()
    assert main(["combine", "empty"]) == 2
    assert "no coverage data in empty" in capsys.readouterr().err


def test_data_that_is_missing_says_what_writes_it(capsys: Out) -> None:
    assert main(["report"]) == 2
    assert "A run of pytest --narration-coverage writes it" in capsys.readouterr().err
