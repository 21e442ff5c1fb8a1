"""Fixtures that tests of several modules share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_narration.emit import subscribe


@pytest.fixture
def narrated() -> Iterator[list[dict[str, Any]]]:
    """Every event that is narrated during the test."""
    events: list[dict[str, Any]] = []
    unsubscribe = subscribe(lambda line, _: events.append(json.loads(line)))
    yield events
    unsubscribe()
