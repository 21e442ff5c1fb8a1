"""Fixtures behind the phrases: the scenario's state, and answers to what a step lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from ..errors import StepMistake
from .scene import Scene

__all__ = ["datatable", "docstring", "narration_scene"]


@pytest.fixture
def narration_scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """What the steps of this scenario share: services, requests, streams, jobs, saved values."""
    with ExitStack() as ends:
        scene = Scene(request, ends)
        yield scene
        scene.hear_out()


# pytest-bdd asks for fixtures of these names when a step's function takes a table or a text and
# the step in the feature file has none.


@pytest.fixture
def datatable() -> NoReturn:
    """Explain that the step needs a table."""
    raise StepMistake("this step needs a table in the lines below it: | … | … |")


@pytest.fixture
def docstring() -> NoReturn:
    """Explain that the step needs a text."""
    raise StepMistake('this step needs a text in the lines below it, between two lines of """')
