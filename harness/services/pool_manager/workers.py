"""The workers of this node: which live, which are ready, how many jobs each can take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..web import ApiError
from .capture import WorkerLog

__all__ = ["Exit", "Pool", "Ready", "Worker"]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a worker says of itself when it is ready."""

    instance: str
    address: str
    device: str
    model_ref: str
    slots: int
    vram_total_bytes: int = 0
    vram_free_bytes: int = 0


class Exit(NamedTuple):
    """How a worker's process ended."""

    kind: str
    """``"SIGNAL_9"``, ``"EXIT_1"``."""
    told_by: str | None
    """The event that told it."""


@dataclass(slots=True, eq=False)
class Worker:
    """One worker over all its restarts."""

    id: str
    log: WorkerLog
    state: str = "stopped"
    """``starting``, ``ready``, ``backing off``, ``stopping`` or ``stopped``."""
    starts: int = 0
    ready: Ready | None = None
    running: int = 0
    """Jobs of ours that run there."""
    is_suspect: bool = False
    """Whether a job lost its connection to it, and it was not heard of since."""
    engine_name: str = ""
    exit: asyncio.Future[Exit] | None = None
    """Of its present start: resolved when its end has been narrated."""
    on_ready: Callable[[], None] = field(default=lambda: None)

    @property
    def free(self) -> int:
        """Jobs that it can take at this moment."""
        return max(0, self.slots - self.running)

    @property
    def slots(self) -> int:
        """Jobs that it can run at once."""
        return self.ready.slots if self.ready is not None and not self.is_suspect else 0

    def shown(self) -> dict[str, Any]:
        """Return what the pool's status says of it."""
        facts: dict[str, Any] = {
            "worker_id": self.id,
            "state": self.state,
            "restarts": max(0, self.starts - 1),
            "jobs_running": self.running,
            "runs_as": self.engine_name,
        }
        if self.ready is not None:
            facts |= {
                "instance": self.ready.instance,
                "address": self.ready.address,
                "device": self.ready.device,
                "model_ref": self.ready.model_ref,
                "slots": self.ready.slots,
            }
        return facts


class Pool:
    """All workers of this node; belongs to the event loop.

    :param on_change: called when the number of slots changes.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change = on_change
        self._workers: dict[str, Worker] = {}

    def add(self, worker: Worker) -> None:
        """Add a worker that the provisioner keeps alive."""
        self._workers[worker.id] = worker

    def all(self) -> list[Worker]:
        """Return the workers, by id."""
        return sorted(self._workers.values(), key=lambda worker: worker.id)

    def get(self, worker_id: str) -> Worker:
        """Return a worker.

        :raises ApiError: 404, it is none of ours.
        """
        worker = self._workers.get(worker_id)
        if worker is None:
            known = ", ".join(self._workers) or "none"
            raise ApiError("not_found", f"no worker of that id; known are {known}")
        return worker

    def best(self) -> Worker | None:
        """Return the ready worker with most free slots; of equal ones the first by id."""
        free = [worker for worker in self.all() if worker.free]
        return max(free, key=lambda worker: worker.free) if free else None

    @property
    def slots(self) -> int:
        """Jobs that the ready workers can run at once."""
        return sum(worker.slots for worker in self._workers.values())

    def set_ready(self, worker: Worker, ready: Ready) -> None:
        """Take a worker's callback."""
        worker.ready = ready
        worker.is_suspect = False
        worker.state = "ready"
        worker.on_ready()
        self.on_change()

    def set_gone(self, worker: Worker, state: str) -> None:
        """Place nothing more on a worker."""
        was_ready, worker.ready = worker.ready is not None, None
        worker.state = state
        if was_ready:
            self.on_change()

    def set_suspect(self, worker: Worker, is_suspect: bool) -> None:
        """Place nothing on a worker until it is heard of, or place jobs there again."""
        if worker.is_suspect != is_suspect:
            worker.is_suspect = is_suspect
            self.on_change()

    def facts(self) -> dict[str, int]:
        """Return what heartbeats and the status say of the pool."""
        ready = [worker.ready for worker in self._workers.values() if worker.slots and worker.ready]
        live = [w for w in self._workers.values() if w.state in ("starting", "ready")]
        return {
            "workers_live": len(live),
            "workers_ready": len(ready),
            "vram_free_bytes": sum(report.vram_free_bytes for report in ready),
        }
