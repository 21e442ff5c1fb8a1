"""``--narration-report``: which reports are made and where they go."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

_TEST = """
    import shop

    def test_start():
        shop.start()
"""


def test_every_file_report_has_a_default_destination(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TEST)
    types = ("json", "html", "lcov", "xml", "markdown", "badge")

    result = run("--narration-coverage", *(f"--narration-report={name}" for name in types))

    assert result.ret == 0
    made = sorted(p.name for p in project.path.glob("narration-coverage.*"))
    assert made == [f"narration-coverage.{s}" for s in ("html", "json", "lcov", "md", "svg", "xml")]
    result.stdout.fnmatch_lines(["Narration coverage json written to *narration-coverage.json"])
    result.stdout.no_fnmatch_line("Group*Points*")


def test_a_destination_may_be_given_and_its_folder_is_made(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_TEST)

    run(
        "--narration-coverage", "--narration-report=json:out/deep/c.json", "--narration-report=term"
    )

    report = json.loads((project.path / "out" / "deep" / "c.json").read_text(encoding="utf-8"))
    assert report["total"] == {"covered": 1, "total": 4, "percent": 25.0, "shown": "25.00%"}


def test_term_leaves_out_what_term_missing_tells(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TEST)

    plain = run("--narration-coverage", "--narration-report=term")

    plain.stdout.fnmatch_lines(["TOTAL*25.00%"])
    plain.stdout.no_fnmatch_line("Missing:")


def test_an_empty_type_prints_nothing_but_the_reason_of_a_failure(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_TEST)

    silent = run("--narration-coverage", "--narration-report=")
    failed = run("--narration-coverage", "--narration-report=", "--narration-fail-under=80")

    silent.stdout.no_fnmatch_line("*narration coverage*")
    failed.stdout.fnmatch_lines(["FAIL Required narration coverage of 80% not reached*"])
    failed.stdout.no_fnmatch_line("TOTAL*")


def test_the_ini_file_names_reports_too(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TEST)
    project.makeini("[pytest]\npythonpath = .\nnarration_report =\n  badge\n  term\n")

    run("--narration-coverage").stdout.fnmatch_lines(["TOTAL*", "*written to*svg"])


@pytest.mark.parametrize("value", ["pdf", "json:"])
def test_a_wrong_report_is_a_usage_error(project: pytest.Pytester, run: Run, value: str) -> None:
    result = run("--narration-coverage", f"--narration-report={value}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = "*choose from term, term-missing, json*" if value == "pdf" else "*empty destination*"
    result.stderr.fnmatch_lines([expected])


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        ("out", "*out is a folder; name a file"),
        ("shop.py/deep/c.json", "*shop.py/deep/c.json cannot be written: *shop.py is not a folder"),
    ],
)
def test_a_report_that_cannot_be_written_is_a_usage_error_before_any_test(
    project: pytest.Pytester, run: Run, destination: str, why: str
) -> None:
    project.makepyfile(_TEST)
    project.mkdir("out")

    result = run("--narration-coverage", f"--narration-report=json:{destination}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: the report json: {why}"])
    assert not (project.path / "out" / "deep").exists()


def test_what_turns_out_to_be_unwritable_is_told_beside_the_other_reports(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop, pathlib

        def test_start():
            shop.start()
            pathlib.Path("c.json").mkdir()
            pathlib.Path(".narration-coverage").mkdir()
        """
    )

    reports = ("--narration-report=json:c.json", "--narration-report=badge")
    result = run("--narration-coverage", *reports)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "Narration coverage badge written to*",
            "ERROR: coverage data *.narration-coverage cannot be written: Is a directory",
            "ERROR: the report json cannot be written to *c.json: Is a directory",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    failed = run("--narration-coverage", "--narration-fail-under=100", *reports[1:])
    assert failed.ret == pytest.ExitCode.TESTS_FAILED


def test_a_report_without_coverage_is_refused(project: pytest.Pytester, run: Run) -> None:
    result = run("--narration-report=html")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--narration-report needs --narration-coverage*"])


def test_workers_write_no_report_of_their_own(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TEST)

    result = run("--narration-coverage", "--narration-report=json", "-n2")

    result.stdout.fnmatch_lines(["Narration coverage json written to*"])
    assert len([line for line in result.stdout.lines if "written to" in line]) == 1
