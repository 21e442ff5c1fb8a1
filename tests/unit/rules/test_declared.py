"""Which declared points an event can be, for the rule ``channel-split``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_narration.coverage.catalog import Point
from pytest_narration.event import Event
from pytest_narration.rules.declared import Declared


def _point(actor: str = "cart", action: str = "go", **more: Any) -> Point:
    return Point("p", "g", "cart", actor, action, root=Path(), **more)


_SAID = Event(service="cart", actor="cart", action="go", human="Went to b for a")


@pytest.mark.parametrize(("actor", "action"), [("cart", "*"), ("*", "go"), ("*", "*")])
def test_any_actor_and_any_action_can_be_declared(actor: str, action: str) -> None:
    declared = Declared([_point(actor, action, human="Went to {place} for {why}")])

    assert declared.is_stdout_only(_SAID)
    assert not Declared([_point("till", action, human="Went to {place}")]).is_stdout_only(_SAID)


@pytest.mark.parametrize(
    ("human", "expected"),
    [("Went to {x}", True), ("{x}", True), ("Went to b for a", True), ("Went{x}b{y} c", False)],
)
def test_text_without_a_template_is_matched_by_what_is_literal(human: str, expected: bool) -> None:
    assert Declared([_point(human=human)]).is_stdout_only(_SAID) is expected


def test_a_template_that_the_caller_filled_in_is_matched_as_text() -> None:
    said = Event(service="cart", actor="cart", action="go", human="Went to b", template="Went to b")
    other = Event(service="cart", actor="cart", action="go", human="Went to b", template="Went {x}")
    declared = Declared([_point(human="Went to {place}")])

    assert declared.is_stdout_only(said)
    assert not declared.is_stdout_only(other)


def test_matching_takes_linear_time() -> None:
    """With a retry for each way to place the blanks this would take years."""
    said = Event(service="cart", actor="cart", action="go", human=" " * 60_000)

    assert not Declared([_point(human="{a} {b} {c} {d} {e} {f}!")]).is_stdout_only(said)
