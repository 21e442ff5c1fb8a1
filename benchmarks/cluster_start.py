"""How long the cluster takes to be ready and to be gone, in processes and in containers.

    python -m benchmarks.cluster_start [--runs 5] [--nodes 1] [--clusters process docker]

The kinds take turns, so that both meet the same load; medians are shown. Importing torch, between
a worker's ``server_bind`` and its ``device_init``, is told apart: it is most of a start, and no
part of the harness.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from statistics import median
from typing import NamedTuple

from harness.cluster import docker_cluster, local_cluster
from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder

_KINDS = {"process": local_cluster, "docker": docker_cluster}


class Times(NamedTuple):
    """Seconds of one cluster's life."""

    ready: float
    """Until the latest worker was ready, importing torch apart."""
    torch: float
    stopped: float


def measure(kind: str, nodes: int) -> Times:
    """Start one cluster, and stop it."""
    recorder = Recorder()
    began = time.monotonic()
    with _KINDS[kind](recorder, nodes=nodes):
        ready = time.monotonic()
    torch = max(
        _at(recorder, "device_init", worker) - _at(recorder, "server_bind", worker)
        for worker in {e.instance for e in recorder.events(service="worker", action="device_init")}
    )
    return Times(ready - began - torch, torch, time.monotonic() - ready)


def _at(recorder: Recorder, action: str, instance: str | None) -> float:
    event = recorder.events(action=action, instance=instance)[0]
    return datetime.datetime.fromisoformat(str(event.timestamp)).timestamp()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--clusters", nargs="+", choices=list(_KINDS), default=list(_KINDS))
    options = parser.parse_args()
    found: dict[str, list[Times]] = {kind: [] for kind in options.clusters}
    for _ in range(options.runs):
        for kind, times in found.items():
            try:
                times.append(measure(kind, options.nodes))
            except ClusterError as error:
                raise SystemExit(f"{kind}: {error}") from error
    load = ", ".join(f"{average:.0f}" for average in os.getloadavg())
    print(
        f"medians of {options.runs}, {options.nodes} node(s); load {load} of {os.cpu_count()} cores"
    )
    for kind, times in found.items():
        told = (
            f"{name} {median(t[i] for t in times):.1f} s" for i, name in enumerate(Times._fields)
        )
        print(f"{kind}: {', '.join(told)}")


if __name__ == "__main__":
    main()
