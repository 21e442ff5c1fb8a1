"""``--narration-lint``: linted files are items of the run."""

from __future__ import annotations

import pytest

from .conftest import Run

_TABLE = """
[tool.narration.lint]
paths = ["app"]
allow = [{ rule = "no-print", path = "app/main.py", scope = "main", reason = "usage" }]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makefile(".toml", pyproject=_TABLE)
    pytester.makepyfile("def test_it(): pass")
    pytester.mkdir("app")
    (pytester.path / "app" / "main.py").write_text("def main():\n    print('usage')\n", "utf-8")
    (pytester.path / "app" / "jobs.py").write_text("import opentelemetry\n", "utf-8")
    return pytester


def test_each_file_is_an_item_and_fails_with_line_rule_and_hint(
    project: pytest.Pytester, run: Run
) -> None:
    result = run("--narration-lint", "-v")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*narration-lint::app/jobs.py FAILED*",
            "*narration-lint::app/main.py PASSED*",
            "*narration-lint::allowances PASSED*",
            "*app/jobs.py:1:1: no-otel: opentelemetry is imported",
            "*hint: use the middleware*",
        ]
    )


def test_the_items_are_spread_over_xdist_workers(project: pytest.Pytester, run: Run) -> None:
    result = run("--narration-lint", "-n", "2")
    result.assert_outcomes(passed=3, failed=1)


def test_an_allowance_without_a_finding_fails_an_item_of_its_own(
    project: pytest.Pytester, run: Run
) -> None:
    (project.path / "app" / "main.py").write_text("", "utf-8")
    (project.path / "app" / "jobs.py").write_text("", "utf-8")
    result = run("--narration-lint")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*unused-allowance: no-print at app/main.py in main is allowed*"])


def test_without_the_option_nothing_is_linted(project: pytest.Pytester, run: Run) -> None:
    run().assert_outcomes(passed=1)


def test_a_project_that_names_nothing_is_told_how(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(): pass")
    pytester.makefile(".toml", pyproject="[tool.narration]\n")
    result = run("--narration-lint")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--narration-lint: nothing to lint*tool.narration.lint*"])
