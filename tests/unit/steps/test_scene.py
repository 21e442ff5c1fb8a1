"""What a scenario's state does by itself, without being asked by a step."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_narration.errors import WaitTimeout
from pytest_narration.steps.scene import Scene


class Listening:
    """Stands for the scenario's narration: notes when it is asked to wait."""

    def __init__(self, *, can_grow: bool = True, is_busy: bool = False) -> None:
        self.waits: list[float] = []
        self.arrived = 0
        self.recorder = SimpleNamespace(can_grow=lambda: can_grow)
        self._is_busy = is_busy

    def mark(self) -> int:
        return self.arrived

    def settle(self, timeout: float, quiet: float) -> None:
        self.waits.append(timeout)
        if self._is_busy:
            raise WaitTimeout("lines keep coming")


@pytest.fixture
def ends() -> Any:
    with ExitStack() as ends:
        yield ends


def scene(narration: Listening, ends: ExitStack) -> Any:
    request: Any = SimpleNamespace(getfixturevalue=lambda name: {"narration": narration}[name])
    return Scene(request, ends)


def test_lines_on_their_way_are_heard_out(ends: ExitStack) -> None:
    """Or they would come in the next scenario, which says that nothing of the kind is seen."""
    narration = Listening(is_busy=True)
    one = scene(narration, ends)
    assert one.narration is narration

    one.hear_out()

    assert len(narration.waits) == 1
    assert narration.waits[0] <= 1


def test_nothing_is_waited_for_when_nothing_can_come(ends: ExitStack) -> None:
    narration = Listening()
    scene(narration, ends).hear_out()
    assert narration.waits == []

    ended = Listening(can_grow=False)
    one = scene(ended, ends)
    assert one.narration is ended
    one.hear_out()
    assert ended.waits == []


@pytest.mark.parametrize("more", ["nothing", "a line", "a request"])
def test_a_scenario_that_is_quiet_ends_at_once(ends: ExitStack, more: str) -> None:
    narration = Listening()
    one = scene(narration, ends)
    one.settle(10.0)
    narration.arrived += more == "a line"
    one.answers += [SimpleNamespace()] * (more == "a request")

    one.hear_out()

    assert len(narration.waits) == (1 if more == "nothing" else 2)
