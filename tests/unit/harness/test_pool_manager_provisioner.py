"""Workers are kept alive: preflight, spawn, back-off, and an end that never hangs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.services.pool_manager.preflight import Preflight, look
from harness.services.pool_manager.provisioner import Provisioner
from harness.services.pool_manager.settings import Settings
from harness.services.pool_manager.workers import Pool, Ready
from pytest_narration.emit import extract, subscribe

_GOOD = Preflight(4096, "none", 0)
_READY = Ready("i", "127.0.0.1:1", "cpu", "tiny", 4)


class _Fake:
    """A worker in name only, which lives until it is told to end."""

    name = "fake"

    def __init__(self, *, is_stubborn: bool = False) -> None:
        self.stdout, self._out = os.pipe()
        self.stderr, self._err = os.pipe()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._is_stubborn = is_stubborn

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def end(self, status: int, words: bytes = b"") -> None:
        if not self._ended.done():
            os.write(self._out, words)
            os.close(self._out)
            os.close(self._err)
            self._ended.set_result(status)

    def terminate(self) -> None:
        if not self._is_stubborn:
            self.end(0)

    def kill(self) -> None:
        self.end(-9)


class _Engine:
    kind = "fake"

    def __init__(self, *, is_stubborn: bool = False, error: OSError | None = None) -> None:
        self.spawned: asyncio.Queue[_Fake] = asyncio.Queue()
        self.environments: list[dict[str, str]] = []
        self._is_stubborn = is_stubborn
        self._error = error

    def spawn(
        self, worker_id: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> _Fake:
        if self._error is not None:
            raise self._error
        self.environments.append(dict(environment))
        fake = _Fake(is_stubborn=self._is_stubborn)
        self.spawned.put_nowait(fake)
        return fake


class _Bench:
    def __init__(
        self, engine: _Engine, look: Callable[[], Preflight] = lambda: _GOOD, **settings: Any
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._stop_listening = subscribe(self._hear)
        self.engine = engine
        self.relayed: list[bytes] = []
        self.pool = Pool()
        self.provisioner = Provisioner(
            self.pool,
            engine,
            Settings(backoff=0.001, **settings),
            arguments=lambda worker_id: [worker_id],
            relay=self.relayed.append,
            look=look,
        )

    def _hear(self, line: bytes, context: object) -> None:
        self.events.append(json.loads(line))
        self._loop.call_soon_threadsafe(self._news.set)

    async def spawned(self) -> _Fake:
        async with asyncio.timeout(10):
            return await self.engine.spawned.get()

    async def said(self, action: str, times: int = 1) -> list[dict[str, Any]]:
        async with asyncio.timeout(10):
            while True:
                self._news.clear()
                found = [event for event in self.events if event["action"] == action]
                if len(found) >= times:
                    return found
                await self._news.wait()

    async def close(self) -> None:
        await self.provisioner.stop(0.05)
        self._stop_listening()


def _run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]


def test_a_dead_worker_is_restarted_with_doubling_pauses() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine(), longest_backoff=0.005)
        bench.provisioner.start()
        for _ in range(5):
            (await bench.spawned()).end(1)
        restarts = await bench.said("worker_restart", 5)
        assert [event["backoff_ms"] for event in restarts[:5]] == [1, 2, 4, 5, 5]
        assert [event["error_kind"] for event in await bench.said("worker_exit", 5)] == [
            "EXIT_1"
        ] * 5
        await bench.close()

    _run(scenario)


def test_a_crash_takes_the_workers_slots_at_once() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine())
        changes: list[int] = []
        bench.pool.on_change = lambda: changes.append(bench.pool.slots)
        bench.provisioner.start()
        fake = await bench.spawned()
        bench.pool.set_ready(bench.pool.get("worker-gpu0-r1"), _READY)
        fake.end(-9, b"last words")
        (exit_event,) = await bench.said("worker_exit")
        assert exit_event["error_kind"] == "SIGNAL_9"
        assert changes == [4, 0]
        assert bench.relayed == [b"last words\n"], "its words come before what is said of its end"
        await bench.close()

    _run(scenario)


def test_a_worker_inherits_who_spawned_it() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine())
        bench.provisioner.start()
        await bench.spawned()
        (spawn,) = await bench.said("worker_spawn")
        (environment,) = bench.engine.environments
        assert set(environment) == {"TRACEPARENT", "TRACESTATE"}
        assert extract(environment).cause == (spawn["event_id"],)
        await bench.close()

    _run(scenario)


def test_whoever_waits_for_a_workers_end_learns_what_told_it() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine())
        bench.provisioner.start()
        fake = await bench.spawned()
        ending = bench.pool.get("worker-gpu0-r1").exit
        assert ending is not None
        assert not ending.done()
        fake.end(-9)
        ended = await asyncio.wait_for(ending, 10)
        (told,) = await bench.said("worker_exit")
        assert ended == ("SIGNAL_9", told["event_id"])
        await bench.close()

    _run(scenario)


def test_a_worker_that_never_reports_is_ended_and_started_anew() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine(is_stubborn=True), ready_timeout=0.05)
        bench.provisioner.start()
        await bench.spawned()
        (event, *_) = await bench.said("worker_exit")
        assert event["error_kind"] == "READY_TIMEOUT"
        await bench.spawned()
        await bench.close()

    _run(scenario)


def test_a_failed_preflight_is_said_and_tried_again() -> None:
    found = iter([Preflight(3, "none", 0, "RAM_SHORT"), *[_GOOD] * 9])

    async def scenario() -> None:
        bench = _Bench(_Engine(), look=lambda: next(found))
        bench.provisioner.start()
        await bench.spawned()
        first, second = (await bench.said("preflight", 2))[:2]
        assert (first["level"], first["error_kind"]) == ("error", "RAM_SHORT")
        assert second["level"] == "info"
        await bench.close()

    _run(scenario)


def test_an_engine_that_cannot_spawn_is_tried_again() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine(error=FileNotFoundError("python")))
        bench.provisioner.start()
        events = await bench.said("worker_exit", 2)
        assert events[0]["error_kind"] == "FileNotFoundError"
        await bench.close()

    _run(scenario)


def test_a_worker_that_does_not_stop_is_killed_and_it_is_said() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine(is_stubborn=True))
        bench.provisioner.start()
        await bench.spawned()
        await bench.close()
        actions = [event["action"] for event in bench.events]
        assert actions[-2:] == ["worker_stop", "worker_kill"]
        assert "worker_restart" not in actions

    _run(scenario)


def test_a_stop_during_the_pause_ends_at_once() -> None:
    async def scenario() -> None:
        bench = _Bench(_Engine())
        bench.provisioner._settings = bench.provisioner._settings._replace(
            backoff=1000.0, longest_backoff=1000.0
        )
        bench.provisioner.start()
        (await bench.spawned()).end(1)
        await bench.said("worker_restart")
        await bench.close()

    _run(scenario)


def test_the_preflight_reads_the_kernels_numbers(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n")
    assert look(require_ram_mb=2048, require_gpu=False, root=tmp_path).problem == ""
    short = look(require_ram_mb=2049, require_gpu=False, root=tmp_path)
    assert (short.problem, short.ram_free_mb) == ("RAM_SHORT", 2048)


def test_the_preflight_respects_the_control_groups_limit(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable:    2097152 kB\n")
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(str(512 << 20))
    (group / "memory.current").write_text(str(300 << 20))
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {100 << 20}\n")
    assert look(require_ram_mb=1, require_gpu=False, root=tmp_path).ram_free_mb == 312
    (group / "memory.max").write_text("max\n")
    assert look(require_ram_mb=1, require_gpu=False, root=tmp_path).ram_free_mb == 2048


@pytest.mark.parametrize(
    ("answer", "gpu", "vram", "problem"),
    [
        ("echo 'NVIDIA H200, 143000'", "NVIDIA H200", 143000, ""),
        ("echo 'No devices were found'", "none", 0, "GPU_MISSING"),
        ("exit 9", "none", 0, "GPU_MISSING"),
    ],
)
def test_the_gpu_is_asked_of_its_driver(
    answer: str, gpu: str, vram: int, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = look(require_ram_mb=1, require_gpu=True)
    assert (found.gpu, found.vram_free_mb, found.problem) == (gpu, vram, problem)
