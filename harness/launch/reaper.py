"""Removes what a run left at an engine: its containers, networks and volumes, and nothing else.

``sweep_dead_runs`` is called when a cluster starts; ``Reaper`` is a process beside the run that
holds a pipe whose other end only the run has, so that it notices every end, ``kill -9`` included.
``python -m harness.launch.reaper`` sweeps what dead runs left, and says what it was.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .docker_engine import connect
from .docker_labels import RUN, Run

__all__ = ["Reaper", "sweep", "sweep_dead_runs"]

_ROOT = Path(__file__).resolve().parents[2]
_SWEEP_SECONDS = 30.0
_WAIT_SECONDS = 20.0
_PAUSE = 0.05


def sweep(client: Any, run_id: str, *, patience: float = _SWEEP_SECONDS) -> list[str]:
    """Remove everything of a run; return what was removed: ``["container x", "network y"]``.

    What appears meanwhile, such as a worker that was being started, is removed as well.

    :param patience: seconds after which what resists is left to the next sweep.
    """
    removed: list[str] = []
    deadline = time.monotonic() + patience
    while found := _found(client, run_id):
        for kind, thing in found:
            name = thing.name
            with contextlib.suppress(Exception):  # gone meanwhile, or in use until a later round
                if kind == "container":
                    thing.remove(force=True, v=True)
                elif kind == "network":
                    thing.remove()
                else:
                    thing.remove(force=True)
                removed.append(f"{kind} {name}")
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    return removed


def sweep_dead_runs(client: Any) -> list[str]:
    """Remove what runs of this machine left whose owner has ended."""
    removed: list[str] = []
    for run in _runs(client):
        if run.is_dead:
            removed += sweep(client, run.id)
    return removed


class Reaper:
    """A process that sweeps a run when this process has ended, however it ended.

    :param engine: see :func:`~.docker_engine.connect`.
    """

    def __init__(self, run: Run, engine: str = "") -> None:
        reads, self._writes = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.launch.reaper", run.id, str(reads), engine],
                cwd=_ROOT,
                # Inherited by this child alone: another holder of our end would keep it waiting.
                pass_fds=(reads,),
                # Ctrl-C and the end of the terminal are no reason for it to end.
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            os.close(self._writes)
            raise
        finally:
            os.close(reads)

    def dismiss(self) -> None:
        """End it after its last sweep."""
        os.close(self._writes)
        try:
            self._process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _found(client: Any, run_id: str) -> list[tuple[str, Any]]:
    chosen = {"label": f"{RUN}={run_id}"}
    containers = client.containers.list(all=True, filters=chosen, ignore_removed=True)
    return [
        *(("container", each) for each in containers),
        *(("network", each) for each in client.networks.list(filters=chosen)),
        *(("volume", each) for each in client.volumes.list(filters=chosen)),
    ]


def _runs(client: Any) -> set[Run]:
    chosen = {"label": RUN}
    labels = [
        *(c.labels for c in client.containers.list(all=True, filters=chosen, ignore_removed=True)),
        *(n.attrs.get("Labels") or {} for n in client.networks.list(filters=chosen)),
        *(v.attrs.get("Labels") or {} for v in client.volumes.list(filters=chosen)),
    ]
    return {run for each in labels if (run := Run.from_labels(each)) is not None}


def main(arguments: list[str]) -> int:
    """Sweep dead runs, or wait for the end of a pipe and sweep one run."""
    if not arguments:
        for line in sweep_dead_runs(connect()) or ["nothing was left"]:
            print(line)  # noqa: T201 - what a person asked for
        return 0
    run_id, descriptor, engine = arguments
    # Beforehand: the run's end waits for the sweep, which then only has to connect.
    importlib.import_module("docker")
    os.read(int(descriptor), 1)
    sweep(connect(engine), run_id)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
