"""The engine provisioner: keeps this node's workers alive, whatever happens to them.

For each worker: preflight, spawn, wait for its callback, watch; when it ends, restart it with
exponential back-off. A death is noticed when the process ends, not by asking now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pytest_narration.emit import inject, narrate, narration_context

from .capture import Capture, WorkerLog
from .engine import Engine, Running
from .preflight import Preflight
from .settings import Settings
from .workers import Exit, Pool, Worker

__all__ = ["Provisioner"]

_ACTOR = "engine-provisioner"
_CARRIED = ("traceparent", "tracestate")
"""What a worker's environment carries, in capitals: the cause of its first event."""
_LAST_LINES = 1.0
"""Seconds for the output of an ended worker to be read to its end."""


class Provisioner:
    """Supervises every worker of the pool; belongs to the event loop.

    :param arguments: of a worker's command line, given its id.
    :param relay: writes whole lines to our stdout.
    :param look: the preflight; runs in a thread.
    """

    def __init__(
        self,
        pool: Pool,
        engine: Engine,
        settings: Settings,
        *,
        arguments: Callable[[str], list[str]],
        relay: Callable[[bytes], None],
        look: Callable[[], Preflight],
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._settings = settings
        self._arguments = arguments
        self._relay = relay
        self._look = look
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[str, Running] = {}
        self._is_stopping = False

    def start(self) -> None:
        """Begin to keep the workers alive."""
        for number in range(1, self._settings.workers + 1):
            worker = Worker(
                f"worker-{self._settings.gpu}-r{number}", WorkerLog(self._settings.log_bytes)
            )
            self._pool.add(worker)
            self._tasks.append(asyncio.create_task(self._supervise(worker)))

    async def stop(self, patience: float) -> None:
        """End every worker: ask, wait ``patience`` seconds, kill."""
        self._is_stopping = True
        await asyncio.gather(*(self._stop(worker, patience) for worker in self._pool.all()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reach(self, worker_id: str, address: str) -> str:
        """Return where a worker is reached, given the address that it says it listens on."""
        running = self._running.get(worker_id)
        return address if running is None else running.reach(address)

    async def _supervise(self, worker: Worker) -> None:
        # The life of each worker is a line of work of its own.
        with narration_context(task_id=f"provision-{worker.id}", actor=_ACTOR):
            await self._keep_alive(worker)

    async def _keep_alive(self, worker: Worker) -> None:
        failures = 0
        while True:
            lived = 0.0
            if await self._preflight(worker):
                began = time.monotonic()
                was_ready = await self._run_once(worker)
                lived = time.monotonic() - began if was_ready else 0.0
            if self._is_stopping:
                return
            # One that worked for a while did not fail at starting: it gets a quick restart.
            failures = 0 if lived > self._settings.longest_backoff / 6 else failures
            pause = min(self._settings.backoff * 2**failures, self._settings.longest_backoff)
            failures = min(failures + 1, 30)
            self._pool.set_gone(worker, "backing off")
            narrate(
                "worker_restart",
                "Restarting worker {worker_id} in {backoff_ms} ms",
                actor=_ACTOR,
                level="warn",
                worker_id=worker.id,
                backoff_ms=round(pause * 1000),
                restarts=worker.starts,
            )
            await asyncio.sleep(pause)

    async def _preflight(self, worker: Worker) -> bool:
        found = await asyncio.to_thread(self._look)
        facts: dict[str, Any] = {
            "worker_id": worker.id,
            "ram_free_mb": found.ram_free_mb,
            "gpu": found.gpu,
            "vram_free_mb": found.vram_free_mb,
        }
        if found.problem:
            narrate(
                "preflight",
                "Preflight failed for worker {worker_id}: {error_kind}",
                actor=_ACTOR,
                level="error",
                error_kind=found.problem,
                **facts,
            )
            return False
        narrate(
            "preflight",
            "Preflight passed for worker {worker_id} ({ram_free_mb} MB RAM free, GPU {gpu})",
            actor=_ACTOR,
            **facts,
        )
        return True

    async def _run_once(self, worker: Worker) -> bool:
        """Run a worker until it ends; say whether it was ever ready."""
        worker.starts += 1
        self._pool.set_gone(worker, "starting")
        ready = asyncio.Event()
        worker.on_ready = ready.set
        worker.exit = asyncio.get_running_loop().create_future()
        narrate(
            "worker_spawn",
            "Spawning worker {worker_id}",
            actor=_ACTOR,
            worker_id=worker.id,
            engine_kind=self._engine.kind,
        )
        carried = {name.upper(): text for name, text in inject().items() if name in _CARRIED}
        try:
            running = self._engine.spawn(worker.id, self._arguments(worker.id), carried)
        except OSError as error:
            self._tell_exit(worker, type(error).__name__, None)
            return False
        worker.engine_name = running.name
        self._running[worker.id] = running
        captures = [
            Capture(running.stdout, "stdout", worker.log, self._relay),
            Capture(running.stderr, "stderr", worker.log),
        ]
        ended = asyncio.create_task(running.wait())
        in_time = await self._is_ready_in_time(ready, ended)
        if not in_time:
            running.kill()
        status = await ended
        self._pool.set_gone(worker, "stopping" if self._is_stopping else "backing off")
        del self._running[worker.id]
        # Its last words first, then ours about its end.
        await asyncio.to_thread(_join, captures)
        if not self._is_stopping:
            kind = _kind_of(status) if in_time else "READY_TIMEOUT"
            with narration_context(cause=(worker.log.last_event_id(),)):
                self._tell_exit(worker, kind, status)
        return ready.is_set()

    async def _is_ready_in_time(self, ready: asyncio.Event, ended: asyncio.Task[int]) -> bool:
        """Say ``False`` when the worker lives on without having reported."""
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait(
                {waiting, ended},
                timeout=self._settings.ready_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            return waiting.done() or ended.done()
        finally:
            waiting.cancel()

    async def _stop(self, worker: Worker, patience: float) -> None:
        running = self._running.get(worker.id)
        if running is None:
            return
        narrate("worker_stop", "Stopping worker {worker_id}", actor=_ACTOR, worker_id=worker.id)
        self._pool.set_gone(worker, "stopping")
        running.terminate()
        ended = asyncio.create_task(running.wait())
        done, _ = await asyncio.wait({ended}, timeout=patience)
        if not done:
            narrate(
                "worker_kill",
                "Killed worker {worker_id}, which did not stop in {patience_ms} ms",
                actor=_ACTOR,
                level="warn",
                worker_id=worker.id,
                patience_ms=round(patience * 1000),
            )
            running.kill()
        await ended
        worker.state = "stopped"

    def _tell_exit(self, worker: Worker, error_kind: str, status: int | None) -> None:
        told_by = narrate(
            "worker_exit",
            "Worker {worker_id} ended: {error_kind}",
            actor=_ACTOR,
            level="error",
            worker_id=worker.id,
            error_kind=error_kind,
            exit_status=status,
        )
        if worker.exit is not None:
            worker.exit.set_result(Exit(error_kind, told_by))


def _join(captures: list[Capture]) -> None:
    deadline = time.monotonic() + _LAST_LINES
    for capture in captures:
        capture.join(max(0.0, deadline - time.monotonic()))


def _kind_of(status: int) -> str:
    return f"SIGNAL_{-status}" if status < 0 else f"EXIT_{status}"
