"""How long a story takes to fold, and how much memory: `python -m benchmarks.story [EVENTS]`.

Three shapes: one request of many services (a chain with loops), many concurrent jobs that look the
same, and branches that never join. Time per event and bytes per event should not grow with size.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from pytest_narration.event import Event
from pytest_narration.story import Story


def chain(count: int) -> Iterator[Event]:
    """One job whose work crosses three services, with long loops."""
    last = ""
    for number in range(count):
        service = ("orchestrator", "pool-manager", "worker")[number // 50 % 3]
        is_hop = number % 50 == 0
        yield _event(service, number, "j1", (last,) if is_hop and last else (), str(number // 50))
        last = _id(number)


def jobs(count: int) -> Iterator[Event]:
    """Jobs of twenty events that run at once and look the same."""
    for number in range(count):
        job, step = divmod(number, 20)
        service = ("orchestrator", "worker")[step >= 5]
        cause = (_id(number - 1),) if step == 5 else ()
        yield _event(service, number, f"{service}-{job}", cause, "")


def frayed(count: int) -> Iterator[Event]:
    """A job that starts a branch with every step; no branch joins."""
    for number in range(count):
        if number % 2:
            yield _event("worker", number, "j1", (_id(number - 1),), f"b{number}")
        else:
            yield _event("worker", number, "j1", (), "")


def _id(number: int) -> str:
    return f"01890a5d-ac96-774b-8cce-{number:012x}"


def _event(service: str, number: int, job: str, cause: tuple[str, ...], task: str) -> Event:
    return Event(
        event_id=_id(number),
        service=service,
        instance=f"{service}-1",
        seq=number,
        actor=service,
        action=f"step_{number % 7}",
        human=f"Did {number}",
        template="Did {number} of job {job_id}",
        correlation_id="c1",
        job_id=job,
        task_id=task or None,
        cause=cause,
        extra={"number": number % 7},
    )


def _measure(shape: Callable[[int], Iterator[Event]], count: int) -> tuple[float, float]:
    events = list(shape(count))
    random.Random(1).shuffle(events)
    began = time.perf_counter()
    story = Story.of(events)
    seconds = time.perf_counter() - began
    assert len(story) == count
    del story
    tracemalloc.start()
    Story.of(events)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak


def main(count: int) -> None:
    """Print one row for each shape and size."""
    print(f"{'shape':8} {'events':>8} {'seconds':>8} {'µs/event':>9} {'bytes/event':>12}")
    for shape in (chain, jobs, frayed):
        for size in (count // 10, count):
            seconds, peak = _measure(shape, size)
            print(
                f"{shape.__name__:8} {size:8} {seconds:8.2f} {seconds / size * 1e6:9.1f} "
                f"{peak / size:12.0f}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
