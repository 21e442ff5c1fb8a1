"""``--narration-fail-under``: the gate, its exit code and its line."""

from __future__ import annotations

import pytest

from .conftest import Run

_THREE_OF_FOUR = """
    import shop

    def test_start():
        shop.start()

    def test_look():
        shop.look()

    def test_refused():
        shop.refuse()
"""


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_a_figure_under_the_minimum_fails_the_run_with_a_line_of_its_own(
    project: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    project.makepyfile(_THREE_OF_FOUR)

    result = run("--narration-coverage", "--narration-fail-under=75.01", *extra)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["FAIL Required narration coverage of 75.01% not reached. Total: 75.00%", "*3 passed*"]
    )


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_a_figure_at_the_minimum_passes(
    project: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    project.makepyfile(_THREE_OF_FOUR)

    result = run("--narration-coverage", "--narration-fail-under=75", *extra)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["Required narration coverage of 75% reached. Total: 75.00%"])


def test_each_dimension_has_a_gate_of_its_own(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_THREE_OF_FOUR)

    result = run(
        "--narration-coverage",
        "--narration-fail-under=outcomes=100",
        "--narration-fail-under=channels=90",
    )

    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "Required narration coverage of outcomes of 100% reached. Total: 100.00%",
            "FAIL Required narration coverage of channels of 90% not reached. Total: 60.00%",
        ]
    )


def test_the_command_line_replaces_the_ini_value_of_the_same_dimension(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_THREE_OF_FOUR)
    project.makeini("[pytest]\npythonpath = .\nnarration_fail_under =\n  100\n  outcomes=100\n")

    result = run("--narration-coverage", "--narration-fail-under=70")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["Required*outcomes of 100% reached*", "Required*70% reached*"])


def test_the_ini_value_gates_a_run(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_THREE_OF_FOUR)
    project.makeini("[pytest]\npythonpath = .\nnarration_fail_under = 100\n")

    assert run("--narration-coverage").ret == 1
    assert run().ret == 0


@pytest.mark.parametrize("value", ["eighty", "101", "lines=80"])
def test_a_wrong_value_is_a_usage_error_that_lists_the_choices(
    project: pytest.Pytester, run: Run, value: str
) -> None:
    result = run("--narration-coverage", f"--narration-fail-under={value}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*points, channels, correlation, hops, outcomes*"])


def test_a_gate_without_coverage_is_refused_instead_of_ignored(
    project: pytest.Pytester, run: Run
) -> None:
    result = run("--narration-fail-under=80")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--narration-fail-under needs --narration-coverage*"])
