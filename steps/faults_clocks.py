"""A node whose wall clock is wrong, and what its jobs' stories make of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_bdd import given, parsers, then

from harness.cluster import Cluster
from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder

from .scene import STREAM_SECONDS, Scene

_HOUR = 3600
_TOLERANCE = 60.0
_NODE = ("pool-manager", "worker")


@pytest.fixture
def right(scene: Scene) -> Scene:
    """The scenario's cluster before it is replaced: its clocks are right."""
    return Scene(scene.cluster, scene.narration, scene.points)


@pytest.fixture
def clusters() -> Iterator[ExitStack]:
    """Clusters of the scenario's own."""
    with ExitStack() as running:
        yield running


@given(
    parsers.re(r"a cluster whose node's clock is (?P<hours>\d+) hours (?P<way>ahead|behind)"),
    converters={"hours": int},
    target_fixture="ahead",
)
def _wrong_clock(
    scene: Scene,
    right: Scene,
    clusters: ExitStack,
    make_cluster: Callable[..., Cluster],
    hours: int,
    way: str,
) -> int:
    ahead = hours * _HOUR * (1 if way == "ahead" else -1)
    recorder = Recorder()
    try:
        scene.cluster = clusters.enter_context(make_cluster(recorder, clocks={"node-0": ahead}))
    except ClusterError as error:
        if "libfaketime" not in str(error):
            raise
        pytest.skip(str(error))
    scene.narration = scene.narration.beside(recorder, recorder.mark())
    return ahead


@then("the node's timestamps are wrong by that, and the orchestrator's are right")
def _off(scene: Scene, ahead: int) -> None:
    now = datetime.datetime.now(datetime.UTC)
    seen: set[str | None] = set()
    for event in scene.narration.for_correlation(scene.job.correlation_id).events():
        said = datetime.datetime.fromisoformat(str(event.timestamp))
        expected = ahead if event.service in _NODE else 0
        assert abs((said - now).total_seconds() - expected) < _TOLERANCE, event
        seen.add(event.service)
    assert seen == {"orchestrator", *_NODE}


@then("the job's story is the one that right clocks tell")
def _same_story(scene: Scene, right: Scene) -> None:
    right.submit(max_tokens=20)
    right.open_stream().wait_done(STREAM_SECONDS)
    for each in (scene, right):
        each.narration.settle(timeout=30.0)
    told, expected = (each.narration.story(each.job.correlation_id) for each in (scene, right))
    assert str(told) == str(expected)
