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
        self.recorder = SimpleNamespace(can_grow=lambda: can_grow)
        self._is_busy = is_busy

    def settle(self, timeout: float, quiet: float) -> None:
        self.waits.append(timeout)
        if self._is_busy:
            raise WaitTimeout("lines keep coming")


@pytest.fixture
def ends() -> Any:
    with ExitStack() as ends:
        yield ends


def scene(narration: Listening, ends: ExitStack) -> Scene:
    request: Any = SimpleNamespace(getfixturevalue=lambda name: {"narration": narration}[name])
    return Scene(request, ends)


def test_lines_on_their_way_are_heard_out_after_a_request(ends: ExitStack) -> None:
    """Or they would come in the next scenario, which says that nothing of the kind is seen."""
    narration = Listening(is_busy=True)
    one = scene(narration, ends)
    one.answers.append(SimpleNamespace())  # type: ignore[arg-type]  # any answer

    one.hear_out()

    assert len(narration.waits) == 1
    assert narration.waits[0] <= 1


def test_nothing_is_waited_for_when_nothing_can_come(ends: ExitStack) -> None:
    narration = Listening(can_grow=False)
    one = scene(narration, ends)
    one.hear_out()
    one.answers.append(SimpleNamespace())  # type: ignore[arg-type]  # any answer

    one.hear_out()

    assert narration.waits == []


def test_a_scenario_that_was_quiet_since_its_last_request_ends_at_once(ends: ExitStack) -> None:
    narration = Listening()
    one = scene(narration, ends)
    one.answers.append(SimpleNamespace())  # type: ignore[arg-type]  # any answer
    one.settle(10.0)

    one.hear_out()

    assert narration.waits == [10.0]
