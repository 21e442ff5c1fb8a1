"""Heartbeats decide who lives; free slots go to whoever waits longest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from harness.services.orchestrator.nodes import Node, NodeRegistry
from harness.services.orchestrator.placement import Scheduler
from harness.services.web import ApiError
from pytest_narration.emit import subscribe


class _Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    stop = subscribe(lambda line, context: lines.append(json.loads(line)["human"]))
    yield lines
    stop()


def _registry(clock: _Clock, *names: str, slots: int = 1) -> NodeRegistry:
    registry = NodeRegistry(clock=clock)
    for name in names:
        registry.register(Node(name, f"{name}:1", "pool-0", f"i-{name}", heartbeat=1.0))
        registry.heartbeat(name, f"i-{name}", slots, {})
    return registry


def test_a_silent_node_is_lost_once_and_returns_with_its_next_heartbeat(said: list[str]) -> None:
    clock = _Clock()
    registry = _registry(clock, "a")
    clock.now += 3.4
    registry.check()
    assert registry.all()[0].state == "ready"
    clock.now += 0.2
    registry.check()
    registry.check()
    assert registry.all()[0].state == "lost"
    assert registry.best() is None
    registry.heartbeat("a", "i-a", 1, {})
    assert registry.best() is registry.all()[0]
    assert said[1:] == [
        "Node a is ready with 1 slots",
        "Lost node a after 3 missed heartbeats",
        "Node a is back",
    ]


def test_traffic_of_a_job_counts_as_life() -> None:
    clock = _Clock()
    registry = _registry(clock, "a")
    clock.now += 3
    registry.alive(registry.all()[0])
    clock.now += 3
    registry.check()
    assert registry.all()[0].state == "ready"


def test_losing_and_regaining_workers_is_said(said: list[str]) -> None:
    registry = _registry(_Clock(), "a", slots=2)
    registry.heartbeat("a", "i-a", 0, {})
    registry.heartbeat("a", "i-a", 0, {})
    registry.heartbeat("a", "i-a", 2, {})
    assert said[-2:] == ["Node a has no ready worker", "Node a is ready with 2 slots"]


def test_another_instance_must_register_first() -> None:
    registry = _registry(_Clock(), "a")
    with pytest.raises(ApiError) as refused:
        registry.heartbeat("a", "i-other", 1, {})
    assert refused.value.status == 404


def test_a_node_that_says_goodbye_is_forgotten() -> None:
    registry = _registry(_Clock(), "a")
    registry.deregister("a")
    assert registry.all() == []
    with pytest.raises(ApiError):
        registry.deregister("a")


def test_jobs_spread_over_nodes_and_ties_go_by_id() -> None:
    async def scenario() -> None:
        scheduler = Scheduler(_registry(_Clock(), "b", "a", slots=2))
        taken = [scheduler.take() for _ in range(5)]
        assert [node.id if node else None for node in taken] == ["a", "b", "a", "b", None]

    asyncio.run(scenario())


def test_who_waits_longest_gets_the_next_slot() -> None:
    async def scenario() -> None:
        scheduler = Scheduler(_registry(_Clock(), "a"))
        node = scheduler.take()
        assert node is not None
        (first, place), (second, next_place) = scheduler.queue(), scheduler.queue()
        assert (place, next_place) == (1, 2)
        scheduler.release(node)
        assert first.done()
        assert not second.done()
        assert scheduler.take() is None, "nobody overtakes the queue"

    asyncio.run(scenario())


def test_a_slot_of_somebody_who_gave_up_goes_to_the_next() -> None:
    async def scenario() -> None:
        scheduler = Scheduler(_registry(_Clock(), "a"))
        node = scheduler.take()
        assert node is not None
        (gone, _), (unlucky, _), (last, _) = (scheduler.queue() for _ in range(3))
        scheduler.leave(gone)
        scheduler.release(node)
        assert unlucky.done()
        scheduler.leave(unlucky)
        assert last.result() is node
        assert (node.running, scheduler.waiting) == (1, 0)

    asyncio.run(scenario())


def test_new_capacity_is_handed_out_at_once() -> None:
    async def scenario() -> None:
        registry = _registry(_Clock(), "a", slots=0)
        scheduler = Scheduler(registry)
        ticket, _ = scheduler.queue()
        registry.heartbeat("a", "i-a", 1, {})
        assert ticket.done()

    asyncio.run(scenario())


def test_a_refused_job_keeps_its_turn() -> None:
    async def scenario() -> None:
        scheduler = Scheduler(_registry(_Clock(), "a"))
        node = scheduler.take()
        assert node is not None
        later, _ = scheduler.queue()
        refused, position = scheduler.queue(first=True)
        scheduler.release(node)
        assert position == 1
        assert refused.done()
        assert not later.done()

    asyncio.run(scenario())


def test_a_late_check_does_not_blame_the_nodes() -> None:
    """Heartbeats that wait in a blocked loop were sent in time."""

    async def scenario() -> str:
        registry = NodeRegistry()
        registry.register(Node("a", "a:1", "p", "i", heartbeat=0.02))
        registry.heartbeat("a", "i", 1, {})
        watch = asyncio.create_task(registry.watch(every=0.05))
        await asyncio.sleep(0)
        _block(0.4)
        for _ in range(5):
            await asyncio.sleep(0)
        state = registry.all()[0].state
        watch.cancel()
        return state

    assert asyncio.run(scenario()) == "ready"


def _block(seconds: float) -> None:
    import threading

    threading.Event().wait(seconds)
