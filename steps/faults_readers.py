"""Readers of a job's stream that do not behave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pytest_bdd import when

from harness.faults import SilentReader

from .scene import Scene


@pytest.fixture
def readers() -> Iterator[ExitStack]:
    """Readers that hold streams until the scenario ends."""
    with ExitStack() as held:
        yield held


@when("a reader opens the job's stream, reads nothing and vanishes")
def _vanishes(scene: Scene) -> None:
    with SilentReader(scene.job.sse_url, scene.cluster.token) as reader:
        assert b"200" in reader.first_bytes()


@when("a reader that never reads holds the job's stream")
def _holds(scene: Scene, readers: ExitStack) -> None:
    reader = readers.enter_context(SilentReader(scene.job.sse_url, scene.cluster.token))
    assert b"200" in reader.first_bytes()
