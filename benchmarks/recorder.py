"""What capturing costs: decode + index + keep per event, memory kept, questions and waits.

    python benchmarks/recorder.py [events]

Times are CPU time of this process, so that a busy machine disturbs them little; ratios compare
within one run.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable

import msgspec

from pytest_narration.event import Event
from pytest_narration.pattern import event
from pytest_narration.recorder import Recorder
from pytest_narration.wire import decode, encode

SERVICES = ("orchestrator", "pool-manager", "worker")
PER_JOB = 12


def lines(number: int) -> list[bytes]:
    """Return the lines of requests of three jobs each, one per service, twelve events a job."""
    made = []
    for n in range(number):
        job = n // PER_JOB
        service = SERVICES[job % 3]
        made.append(
            encode(
                Event(
                    event_id=f"0190{n:04x}-{n % 65536:04x}-7000-8000-{n:012x}",
                    timestamp=f"2025-01-01T00:00:00.{n % 1000:03}Z",
                    service=service,
                    emitted_by=f"{service}@0.1.0",
                    instance=f"{service}-7f3a9c",
                    seq=n,
                    actor="inference-backend",
                    action="token_generate" if n % PER_JOB > 5 else f"step_{n % PER_JOB}",
                    human=f"Generated {n} tokens",
                    template="Generated {tokens_out} tokens",
                    correlation_id=f"c0ffee00-0000-4000-8000-{job // 3:012x}",
                    job_id=f"{job:032x}",
                    parent_job_id=f"{job - 1:032x}",
                    tokens_out=n,
                    schema_version=1,
                )
            )
        )
    return made


def cost(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of three runs."""
    best = float("inf")
    for _ in range(3):
        gc.collect()
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def each(function: Callable[[bytes], object], of: Iterable[bytes]) -> Callable[[], object]:
    """Return a loop over lines."""

    def loop() -> None:
        for line in of:
            function(line)

    return loop


def kept_bytes(of: list[bytes]) -> float:
    """Return the bytes that a recorder holds per event after all of them."""
    recorder = Recorder()
    gc.collect()
    tracemalloc.start()
    for line in of:
        recorder.add_event(decode(line), source="worker")  # type: ignore[arg-type]
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / len(of)


def wait_costs(of: list[Event]) -> tuple[float, float, float]:
    """Return seconds to look up one event, to read all of a history, to notice one more."""
    recorder = Recorder()
    recorder.add_events(of)
    recorder.add_event(Event(action="last"))
    looked_up = cost(lambda: recorder.wait_for(event(action="last"), timeout=0))

    read = threading.Event()
    seen = 0

    def is_late(known: Event) -> bool:
        nonlocal seen
        seen += 1
        if seen > len(of):
            read.set()
        return known.action == "late"

    ended: list[float] = []

    def wait() -> None:
        recorder.wait_for(is_late, timeout=60)
        ended.append(time.perf_counter())

    waiting = threading.Thread(target=wait)
    began = time.process_time()
    waiting.start()
    read.wait()
    scanned = time.process_time() - began
    time.sleep(0.01)
    added = time.perf_counter()
    recorder.add_event(Event(action="late"))
    waiting.join()
    return looked_up, scanned, ended[0] - added


def main(number: int) -> None:
    """Print the table."""
    made = lines(number)
    events = [e for line in made if isinstance(e := decode(line), Event)]
    size = sum(map(len, made)) / number
    loads = cost(each(json.loads, made))

    def capture() -> None:
        recorder = Recorder()
        for line in made:
            recorder.add_event(decode(line), source="worker")  # type: ignore[arg-type]

    def capture_batches() -> None:
        recorder = Recorder()
        for start in range(0, number, 500):
            batch = [decode(line) for line in made[start : start + 500]]
            recorder.add_events(batch, source="worker")  # type: ignore[arg-type]

    def keep() -> None:
        recorder = Recorder()
        for known in events:
            recorder.add_event(known, source="worker")

    rows = [
        ("json.loads", loads),
        ("msgspec, typed: the floor", cost(each(msgspec.json.Decoder(Event).decode, made))),
        ("wire.decode", cost(each(decode, made))),
        ("Recorder.add_event: index and keep", cost(keep)),
        ("capture: wire.decode and add_event", cost(capture)),
        ("capture: in batches of 500", cost(capture_batches)),
    ]
    print(f"{number:,} events of {size:.0f} bytes a line\n")
    print(f"{'per event':<38}{'µs':>8}{'events/s':>12}{'× json.loads':>14}")
    for name, seconds in rows:
        each_one = seconds / number
        print(f"{name:<38}{each_one * 1e6:>8.2f}{1 / each_one:>12,.0f}{seconds / loads:>14.2f}")

    recorder = Recorder()
    for known in events:
        recorder.add_event(known)
    middle = events[number // 2].correlation_id
    questions = 100
    by_request = cost(lambda: [recorder.events(correlation_id=middle) for _ in range(questions)])
    look_up, scan, notice = wait_costs(events)
    print(f"\nkept per event                        {kept_bytes(made):8.0f} bytes")
    print(f"the events of one request             {by_request / questions * 1e6:8.0f} µs")
    print(f"a wait that looks one event up        {look_up * 1e6:8.0f} µs")
    print(f"a wait by a function reads them at    {scan / number * 1e6:8.2f} µs per event")
    print(f"and notices one more after            {notice * 1e6:8.0f} µs, wall")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
