"""Faults at random moments under load: nothing hangs, every stream ends once, no line is lost.

    python -m benchmarks.fault_rounds [--rounds 100] [--clients 3] [--seed N] [--cluster docker]

Clients submit jobs and read their streams without a pause. A round puts one fault in at a random
moment, takes it out after a random time, and waits until a job completes again. At the end, each
stream that closed in order must hold exactly one of end and error, and each service's line numbers
must be complete.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from harness.faults import (
    BadBytes,
    ChangeFrames,
    ChangeHeaders,
    CutStream,
    Delay,
    Drop,
    Duplicate,
    Fault,
    LinkedCluster,
    Proxy,
    Reorder,
    RewriteBody,
    SilentReader,
    docker_linked_cluster,
    linked_cluster,
    only,
    repeat_frame,
    swap_frames,
)
from harness.launch import Service
from pytest_narration.errors import ClusterError, NarrationError, WaitTimeout
from pytest_narration.recorder import Recorder

WORKER = "worker-gpu0-r1"
PATIENCE = 90.0
LINKS: dict[str, Callable[[], Fault]] = {
    "drop": lambda: Drop(2),
    "delay": lambda: Delay(0.02),
    "duplicate": lambda: Duplicate(2),
    "reorder": lambda: Reorder(0.3),
    "lose the id": lambda: ChangeHeaders(dict.fromkeys(("X-Correlation-Id", "X-Request-Id"))),
    "rewrite the body": lambda: RewriteBody(b"max_tokens", b"max_dreams"),
    "cut the stream": lambda: CutStream(8),
    "bad bytes": lambda: BadBytes(8),
    "swap frames": lambda: ChangeFrames(swap_frames("token")),
    "repeat frames": lambda: ChangeFrames(repeat_frame("token")),
}


@dataclass
class Tally:
    """What came of the jobs and the rounds."""

    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    rounds: Counter[str] = field(default_factory=Counter)


class Load:
    """Clients that submit jobs and read their streams until they are told to stop."""

    def __init__(self, cluster: LinkedCluster, tally: Tally, clients: int, seed: int) -> None:
        self._cluster = cluster
        self._tally = tally
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(seed + n),))
            for n in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self._tally.problems.append("a client hangs")

    def _run(self, choice: random.Random) -> None:
        while not self._stop.is_set():
            try:
                outcome = one_job(self._cluster, self._tally, choice.randint(5, 200))
            except (httpx.HTTPError, ClusterError):
                outcome = "not admitted"
                self._stop.wait(0.1)
            self._tally.ends[outcome] += 1


def one_job(cluster: LinkedCluster, tally: Tally, tokens: int) -> str:
    """Run a job; return how its stream ended."""
    job = cluster.submit(max_tokens=tokens)
    stream = cluster.open_stream(job)
    try:
        ending = stream.wait(PATIENCE)
    except WaitTimeout:
        tally.problems.append(f"the stream of {job.job_id} hangs")
        return "hang"
    kinds = [frame.type for frame in stream.frames]
    if ending.outcome != "complete":
        return "broken off"
    if kinds.count("end") + kinds.count("error") != 1 or kinds.count("done") != 1:
        tally.problems.append(f"the stream of {job.job_id} ends with {kinds[-4:]}")
    return kinds[-2]


@contextmanager
def killed(service: Service) -> Iterator[None]:
    service.kill()
    yield
    service.restart(PATIENCE)


@contextmanager
def paused(service: Service) -> Iterator[None]:
    service.pause()
    try:
        yield
    finally:
        service.resume()


@contextmanager
def partitioned(service: Service) -> Iterator[None]:
    service.partition()
    try:
        yield
    finally:
        service.heal()


@contextmanager
def worker(cluster: LinkedCluster, is_killed: bool) -> Iterator[None]:
    handle = cluster.worker(WORKER)
    (handle.kill if is_killed else handle.pause)()
    try:
        yield
    finally:
        if not is_killed:
            handle.resume()


@contextmanager
def silent_readers(cluster: LinkedCluster) -> Iterator[None]:
    jobs = [cluster.submit(max_tokens=200) for _ in range(3)]
    readers = [SilentReader(job.sse_url, cluster.token) for job in jobs]
    for reader in readers:
        reader.__enter__()
    try:
        yield
    finally:
        for reader in readers:
            reader.__exit__(None, None, None)


def faults(cluster: LinkedCluster) -> dict[str, Callable[[], object]]:
    """Return every fault by its name, each a context manager once called."""
    node, links = cluster.pool_managers[0], cluster.links()
    found: dict[str, Callable[[], object]] = {
        "kill the worker": lambda: worker(cluster, True),
        "pause the worker": lambda: worker(cluster, False),
        "kill the pool manager": lambda: killed(node),
        "pause the pool manager": lambda: paused(node),
        "kill the orchestrator": lambda: killed(cluster.orchestrator),
        "pause the orchestrator": lambda: paused(cluster.orchestrator),
        "partition": lambda: partitioned(node),
        "silent readers": lambda: silent_readers(cluster),
    }

    def proxies() -> dict[str, tuple[Proxy, str]]:
        return {
            "to the node": (links.down, "/v1/jobs$"),
            "to the worker": (links.worker(WORKER), "/execute$"),
        }

    for where in ("to the node", "to the worker"):
        for name, make in LINKS.items():

            def broken(where: str = where, make: Callable[[], Fault] = make) -> object:
                proxy, path = proxies()[where]
                return proxy.having(only("POST", path, make()))

            found[f"{name}, {where}"] = broken
    return found


def recovered(cluster: LinkedCluster, tally: Tally) -> float:
    """Return the seconds until a job completes again."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        try:
            if one_job(cluster, tally, 5) == "end":
                return time.monotonic() - began
        except (httpx.HTTPError, NarrationError):
            pass
        time.sleep(0.1)
    tally.problems.append("no job completes any more")
    return PATIENCE


def lost_lines(recorder: Recorder) -> list[str]:
    """Say which line numbers are missing or doubled; each instance counts from 1."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for record in recorder.records(channel="stdout"):
        if record.event.instance is not None and record.event.seq is not None:
            numbers[record.event.instance].append(record.event.seq)
    said = []
    for instance, seen in numbers.items():
        if sorted(seen) != list(range(1, len(seen) + 1)):
            missing = sorted(set(range(1, max(seen) + 1)) - set(seen))
            said.append(f"{instance}: missing {missing}, {len(seen) - len(set(seen))} doubled")
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 16))
    parser.add_argument("--cluster", choices=("process", "docker"), default="process")
    given = parser.parse_args()
    choice, tally, recorder = random.Random(given.seed), Tally(), Recorder()
    make = docker_linked_cluster if given.cluster == "docker" else linked_cluster
    began = time.monotonic()
    node_args = ("--heartbeat=0.3", "--longest-backoff=1")
    with make(recorder, pool_manager_args=node_args) as cluster:
        chosen = faults(cluster)
        # Every fault once, then at random.
        names = choice.sample(sorted(chosen), len(chosen))
        names += choice.choices(sorted(chosen), k=max(0, given.rounds - len(names)))
        with Load(cluster, tally, given.clients, given.seed):
            for name in names[: given.rounds]:
                time.sleep(choice.uniform(0.0, 0.5))
                try:
                    with chosen[name]():  # type: ignore[attr-defined]  # a context manager
                        time.sleep(choice.uniform(0.05, 1.0))
                except (httpx.HTTPError, NarrationError) as error:
                    tally.problems.append(f"{name}: {type(error).__name__}: {error}")
                seconds = recovered(cluster, tally)
                tally.rounds[name] += 1
                tally.slowest[name] = max(tally.slowest[name], seconds)
        recorder.settle(timeout=PATIENCE)
    problems = tally.problems + lost_lines(recorder) + [str(line) for line in recorder.rejected]
    print(
        f"seed {given.seed}, {given.cluster}: {sum(tally.rounds.values())} rounds of "
        f"{len(tally.rounds)} faults in {time.monotonic() - began:.0f} s"
    )
    print(f"streams: {dict(tally.ends)}; printed lines: {len(recorder.records(channel='stdout'))}")
    for name, seconds in sorted(tally.slowest.items(), key=lambda item: -item[1]):
        print(
            f"  {name}: {tally.rounds[name]} rounds, a job completed again within {seconds:.1f} s"
        )
    print("\n".join(["problems:", *problems]) if problems else "no problem")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
