"""The code of docs/narrate.md runs, and prints what the page says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_narration.emit.narrator import MAX_LINE_BYTES
from pytest_narration.event import LEVELS

from .conftest import DOCS, blocks

PAGE = DOCS / "narrate.md"
RUN_SECONDS = 60


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What the page's code narrates when it is run as one program."""
    program = tmp_path_factory.mktemp("page") / "program.py"
    program.write_text("\n".join(blocks(PAGE, "python")), "utf-8")
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _shape(text: str) -> str:
    return re.sub("[0-9a-f]", "0", text)


def test_the_event_of_the_page_is_what_is_printed(told: list[dict[str, object]]) -> None:
    """Same names in the same order; `…` stands for what differs between runs."""
    [shown] = [json.loads(block) for block in blocks(PAGE, "json")]

    assert list(told[0]) == list(shown)
    for name, value in shown.items():
        start, dots, end = str(value).partition("…")
        printed = str(told[0][name])
        if name in ("event_id", "timestamp"):  # they tell the time
            printed, start = _shape(printed), _shape(start)
        assert printed.startswith(start)
        assert printed.endswith(end) if dots else printed == start


def test_the_thread_of_the_page_tells_the_request_it_belongs_to(
    told: list[dict[str, object]],
) -> None:
    [audit] = [event for event in told if event["action"] == "audit"]

    assert (audit["correlation_id"], audit["actor"]) == ("demo-2", "ledger")


def test_the_pattern_of_the_page_redacts(told: list[dict[str, object]]) -> None:
    assert (told[-1]["card"], told[-1]["human"]) == ("[REDACTED]", "Paid with [REDACTED]")


def test_the_figures_of_the_page_are_the_code_s() -> None:
    text = Path(PAGE).read_text("utf-8")

    assert f"at most {MAX_LINE_BYTES // 1024} KiB" in text
    assert all(f"`{level}`" in text for level in LEVELS)
