"""A point of the catalog, named in a phrase -> the events that are meant."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_narration.coverage.catalog import Catalog, Point
from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.steps.observed import Observed
from pytest_narration.steps.selection import selection


def _meant(point: Point, said: Event) -> bool:
    scene: Any = SimpleNamespace(catalog=Catalog(points=(point,)))
    recorder = Recorder()
    recorder.add_event(said)
    return bool(recorder.events(**Observed(scene).where(selection('the point "p"'))))


def _point(actor: str, action: str) -> Point:
    return Point("p", "g", "cart", actor, action, human="User {name} asked", root=Path())


def test_a_point_of_any_actor_and_action_means_whatever_says_its_words() -> None:
    said = Event(service="cart", actor="http", action="user_bob_asked", human="User bob asked")

    assert _meant(_point("*", "*"), said)
    assert _meant(_point("http", "user_bob_asked"), said)
    assert not _meant(_point("*", "asked"), said)
    assert not _meant(_point("db", "*"), said)
