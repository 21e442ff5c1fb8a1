"""The CI examples of docs/stories.md: valid YAML, and commands that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_narration import cli
from pytest_narration.snapshot import StorySettings

PAGE = (Path(__file__).parents[2] / "docs" / "stories.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def ci(number: int) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(examples("yaml")[number])
    return found


def test_the_github_workflow_runs_the_tests_then_comments() -> None:
    workflow = ci(0)
    assert workflow[True] == "pull_request", "YAML 1.1 reads `on` as a boolean"
    assert workflow["permissions"]["pull-requests"] == "write"
    steps = workflow["jobs"]["stories"]["steps"]
    assert steps[0]["with"]["fetch-depth"] == 0, "`BASE...HEAD` needs where the branches parted"
    runs = [step["run"] for step in steps if "run" in step]
    assert runs[1] == "pytest"
    assert not any("${{" in run for run in runs), "what a branch is called is no shell code"
    assert all("stories.md" in run for run in runs[2:])


def test_the_gitlab_job_runs_the_tests_then_writes_a_note() -> None:
    job = ci(1)["stories"]
    assert job["script"][-1] == "pytest"
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert job["artifacts"]["paths"] == [".narration-pending/"]
    fetch, diff, note = job["after_script"]
    assert fetch.startswith("git fetch origin")
    assert "FETCH_HEAD...HEAD" in diff
    assert "--data-urlencode body@stories.md" in " ".join(shlex.split(note))


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            found.split("#")[0].strip()
            for block in (*examples("yaml"), *examples("sh"))
            for found in re.findall(r"\bnarration (?:diff|review)[^\n`]*", block)
        }
    ),
)
def test_each_command_on_the_page_is_one_that_narration_takes(command: str) -> None:
    arguments = shlex.split(command)[1:]
    parser, _ = cli._parser(arguments)
    parser.parse_args(arguments)


def test_the_table_of_settings_is_one_that_is_read() -> None:
    (table,) = (text for text in examples("toml") if "narration.stories" in text)
    settings = StorySettings.of(tomllib.loads(table)["tool"]["narration"]["stories"])
    assert settings.redactions.fields == {"queue_position"}
