"""NARRATION_VALIDATE: strict raises where it was narrated, warn narrates it, off costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[3]
_SERVICE = """\
import sys
from pytest_narration.emit import configure, narrate, narration_context, subscribe

heard = []
subscribe(lambda line, context: heard.append(line))
configure("shop", "1.0")
narrate("start", "Starting")
with narration_context(correlation_id="req-1"):
    for turn in range(2):
        narrate("search_executed", "Searched", mode="keyword", results_count="many",
                latency_ms=3, query="token=Bearer abcdefghijklmnop1234567890")
print(len(heard), file=sys.stderr)
print([m for m in sys.modules if m in ("jsonschema", "pytest_narration.schema")], file=sys.stderr)
"""


def _run(
    folder: Path, mode: str | None, source: str = _SERVICE
) -> tuple[list[dict[str, Any]], str, int]:
    (folder / "shop.py").write_text(source, "utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NARRATION_")}
    if mode is not None:
        environment["NARRATION_VALIDATE"] = mode
    done = subprocess.run(
        [sys.executable, "shop.py"], cwd=folder, capture_output=True, text=True, timeout=60,
        env=environment | {"PYTHONPATH": str(_ROOT)}, check=False,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode


def test_strict_raises_in_the_caller_with_file_line_path_and_rule(tmp_path: Path) -> None:
    events, stderr, code = _run(tmp_path, "strict")
    assert code == 1
    told = stderr.splitlines()
    at = next(i for i, line in enumerate(told) if ".ContractBroken: " in line)
    assert told[at].endswith("shop.py:10 narrated 'search_executed' outside of its contract:")
    assert told[at + 1].strip().startswith("query must not be there")
    assert told[at + 2].strip() == (
        "results_count is 'many': expected how many results were found, 0 or more [type]"
    )
    assert 'narrate("search_executed", "Searched"' in stderr, "the traceback leads to the call"
    assert "abcdefghijklmnop" not in stderr
    assert [event["action"] for event in events] == ["start", "search_executed", "contract_broken"]
    assert events[2]["human"].startswith("shop.py:10: search_executed breaks its contract: query")
    assert events[2]["level"] == "error"


def test_a_wrapper_is_seen_through_to_the_line_that_names_the_action(tmp_path: Path) -> None:
    source = """\
import contextvars
from pytest_narration.emit import configure, narrate

def say(action, template, **said):
    narrate(action, template, **said)

def job():
    contextvars.copy_context().run(
        say, "job_failed", "Failed", job_id="j"
    )

configure("shop", "1.0")
job()
"""
    events, stderr, _ = _run(tmp_path, "strict", source)
    assert "shop.py:8 narrated 'job_failed' outside of its contract:" in stderr
    assert events[-1]["where"] == "shop.py:8"


def test_the_sentence_about_a_breach_is_short_and_its_fields_say_all(tmp_path: Path) -> None:
    events, *_ = _run(tmp_path, "strict")
    breach = events[-1]
    assert breach["human"] == "shop.py:10: search_executed breaks its contract: query [not]"
    assert breach["problem"].endswith("the text that a user searched for is never narrated [not]")


def test_strict_lets_every_listener_hear_the_event_first(tmp_path: Path) -> None:
    source = """\
import sys
from pytest_narration.emit import configure, narrate, subscribe

configure("shop", "1.0")
heard = []
subscribe(lambda line, context: heard.append(line))
try:
    narrate("job_failed", "Failed", job_id="j")
except AssertionError as error:
    print(type(error).__name__, len(heard), file=sys.stderr)
"""
    _, stderr, code = _run(tmp_path, "strict", source)
    assert code == 0, stderr
    assert stderr.splitlines()[0] == "ContractBroken 2"


def test_warn_narrates_each_kind_of_breach_once(tmp_path: Path) -> None:
    events, stderr, code = _run(tmp_path, "warn")
    assert code == 0, stderr
    actions = [event["action"] for event in events]
    assert actions == ["start", "search_executed", "contract_broken", "search_executed"]
    told = events[2]
    assert (told["level"], told["broken_action"], told["where"], told["problems"]) == (
        "warn", "search_executed", "shop.py:10", 2,
    )  # fmt: skip
    assert told["correlation_id"] == "req-1"
    assert told["problem"].startswith("query must not be there")
    assert stderr.splitlines()[0] == "4", "listeners hear of the breach as well"


@pytest.mark.parametrize("mode", ["off", "", None])
def test_off_is_the_default_and_loads_nothing(tmp_path: Path, mode: str | None) -> None:
    events, stderr, code = _run(tmp_path, mode)
    assert code == 0
    assert [event["action"] for event in events] == ["start", *["search_executed"] * 2]
    assert stderr.splitlines() == ["3", "[]"]


def test_an_unknown_mode_is_refused_at_once_with_the_choices(tmp_path: Path) -> None:
    _, stderr, code = _run(tmp_path, "stirct")
    assert code == 1
    assert "NARRATION_VALIDATE is 'stirct'; choose one of strict, warn, off" in stderr


def test_the_contracts_are_those_of_the_project_around_the_service(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.narration.contracts]\n"search_executed" = false\n"start" = { ids = ["job_id"] }\n'
    )
    _, stderr, code = _run(tmp_path, "strict")
    assert code == 1
    assert "shop.py:7 narrated 'start' outside of its contract" in stderr
    assert "job_id is missing" in stderr


def test_a_process_that_never_configures_is_judged_as_well(tmp_path: Path) -> None:
    source = (
        'from pytest_narration.emit import narrate\nnarrate("job_failed", "Failed", job_id="j")\n'
    )
    _, stderr, code = _run(tmp_path, "strict", source)
    assert code == 1
    assert "shop.py:2 narrated 'job_failed'" in stderr
    assert "error_kind is missing" in stderr
