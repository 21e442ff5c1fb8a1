"""Attempts -> reports: what does not depend on pytest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_narration.cucumber import Attempt, Hook, Run, Step, parse, render
from pytest_narration.errors import ConfigurationError

FEATURE = """\
Feature: Tides
  Scenario: Low
    Given the moon
  Scenario: High
    Given the moon
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tides.feature"
    path.write_text(FEATURE, "utf-8")
    return path


def attempt(path: Path, line: int, started: float, status: str = "passed") -> Attempt:
    step = Step(status=status, started=started, seconds=0.25, message="wet" * (status == "failed"))
    return Attempt(
        nodeid=f"tides.feature::{line}",
        uri="tides.feature",
        path=str(path),
        line=line,
        row=None,
        started=started,
        finished=started + 0.5,
        steps=[step],
    )


def run(*attempts: Attempt) -> Run:
    return Run(list(attempts), started=1.0, finished=9.0, success=True, version="0")


def test_a_test_that_ran_again_is_one_test_case_with_two_attempts(path: Path) -> None:
    again = run(attempt(path, 4, 5.0), attempt(path, 4, 2.0, "failed"))

    found = [json.loads(line) for line in render("messages", again).splitlines()]

    assert len([m for m in found if "testCase" in m]) == 1
    assert [m["testCaseStarted"]["attempt"] for m in found if "testCaseStarted" in m] == [0, 1]
    ended = [m["testCaseFinished"]["willBeRetried"] for m in found if "testCaseFinished" in m]
    assert ended == [True, False]
    [feature] = json.loads(render("json", again))
    assert [e["steps"][0]["result"]["status"] for e in feature["elements"]] == ["failed", "passed"]


def test_the_order_of_arrival_changes_nothing(path: Path) -> None:
    first, second = attempt(path, 2, 3.0), attempt(path, 4, 2.0)

    for name in ("messages", "json"):
        assert render(name, run(first, second)) == render(name, run(second, first))


def test_seconds_become_whole_nanoseconds(path: Path) -> None:
    text = render("messages", run(attempt(path, 2, 1700000000.5)))

    [finished] = [json.loads(m) for m in text.splitlines() if m.startswith('{"testStepFinished"')]
    told = finished["testStepFinished"]
    assert told["timestamp"] == {"seconds": 1700000000, "nanos": 750_000_000}
    assert told["testStepResult"]["duration"] == {"seconds": 0, "nanos": 250_000_000}


def test_what_fails_around_the_steps_is_a_hook(path: Path) -> None:
    low = attempt(path, 2, 3.0)
    low.hooks = [Hook("before", "setup", "failed", "no moon", "LookupError")]

    found = [json.loads(line) for line in render("messages", run(low)).splitlines()]

    [hook] = [m["hook"] for m in found if "hook" in m]
    assert (hook["name"], hook["type"]) == ("setup", "BEFORE_TEST_CASE")
    [case] = [m["testCase"] for m in found if "testCase" in m]
    assert case["testSteps"][0]["hookId"] == hook["id"]
    results = [m["testStepFinished"]["testStepResult"] for m in found if "testStepFinished" in m]
    assert results[0]["exception"]["type"] == "LookupError"


def test_a_run_without_scenarios_is_a_report_too() -> None:
    assert json.loads(render("json", run())) == []
    first, *_, last = render("messages", run()).splitlines()
    assert '"meta"' in first
    assert '"testRunFinished"' in last


@pytest.mark.parametrize("text", ["Feature: Tides\n", "no Gherkin at all\n"])
def test_a_feature_that_changed_during_the_run_is_told(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigurationError, match=r"tides\.feature changed while its scenarios ran"):
        run(attempt(path, 2, 3.0))


def test_a_type_has_a_default_file() -> None:
    assert parse("json") == ("json", Path("narration-cucumber.json"))
    assert parse("messages:out/x") == ("messages", Path("out/x"))


def test_an_unknown_type_lists_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="choose from messages, json"):
        parse("html")
