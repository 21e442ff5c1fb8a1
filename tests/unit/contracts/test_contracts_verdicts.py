"""Changes of every kind, made by hand: whether old events, and old readers, survive each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_narration.contracts import compare

_CHANGES = [
    pytest.param(json.loads(line), id=json.loads(line)["title"])
    for line in (Path(__file__).parents[2] / "data" / "contracts" / "verdicts.jsonl")
    .read_text("utf-8")
    .splitlines()
]


@pytest.mark.parametrize("change", _CHANGES)
def test_the_verdict_is_right_in_both_directions(change: dict[str, Any]) -> None:
    forth, back = compare(change["old"], change["new"]), compare(change["new"], change["old"])
    wanted = (change["backward"], change["forward"])
    assert (forth.is_backward_compatible, forth.is_forward_compatible) == wanted
    assert (back.is_forward_compatible, back.is_backward_compatible) == wanted


def test_there_are_changes_with_each_verdict() -> None:
    verdicts = [(row.values[0]["backward"], row.values[0]["forward"]) for row in _CHANGES]
    assert min(map(verdicts.count, {*verdicts})) >= 9
    assert len({*verdicts}) == 4
