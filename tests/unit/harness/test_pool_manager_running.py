"""Whatever a worker does, its job ends with exactly one end or error, and its slot comes back."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.services.hop import Hop
from harness.services.pool_manager.capture import WorkerLog
from harness.services.pool_manager.running import Job, Runner
from harness.services.pool_manager.workers import Exit, Pool, Ready, Worker
from harness.services.stream import encode_frame
from harness.services.web import ApiError, Tokens
from pytest_narration.emit import narration_context, subscribe
from pytest_narration.sse import Decoder

from .scripted_peer import CHUNKED, Script, chunk, scripted_peer

_STARTED = encode_frame("started", b'{"type":"started","job_id":"remote-1"}', 1)
_NARRATION = encode_frame("narration", b'{"type":"narration","event":{"event_id":"e"}}', 2)
_END = encode_frame("end", b'{"type":"end","tokens_out":1}', 3)
_CANCELLED = encode_frame("error", b'{"type":"error","code":"CANCELLED"}', 3)


class _Bench:
    def __init__(self, hop: Hop, address: str) -> None:
        self.pool = Pool()
        self.worker = Worker("worker-gpu0-r1", WorkerLog(1000))
        self.pool.add(self.worker)
        self.pool.set_ready(self.worker, Ready("i", address, "cpu", "tiny", 1))
        self.runner = Runner(self.pool, hop, silence=0.5)

    def submit(self) -> Job:
        job = self.runner.accept({"prompt": "hi"})
        with narration_context(correlation_id="c", job_id=job.id, channel=job.stream):
            job.stream.send("started", job_id=job.id)
            self.runner.start(job)
        return job


async def _outcome(job: Job) -> tuple[str, dict[str, Any]]:
    reader = job.stream.attach()
    text, is_last = b"", False
    async with asyncio.timeout(10):
        while not is_last:
            more, is_last = await reader.next(5.0)
            text += more
    events = Decoder().feed(text)
    kinds = [event.type for event in events]
    assert kinds.count("started") == 1
    assert kinds.count("end") + kinds.count("error") == 1
    return events[-1].type, json.loads(events[-1].data)


def _run(script: Script, scenario: Callable[[_Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        hop = Hop(Tokens("t"))
        async with scripted_peer(script) as address:
            try:
                await scenario(_Bench(hop, address))
            finally:
                await hop.close()

    asyncio.run(run())


def _sends(*pieces: bytes) -> Script:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return script


@pytest.mark.parametrize(
    ("pieces", "kind", "code"),
    [
        ((CHUNKED, chunk(_STARTED + _NARRATION + _END), chunk(b"")), "end", None),
        ((CHUNKED, chunk(_STARTED + _NARRATION)), "error", "WORKER_LOST"),
        ((b"",), "error", "WORKER_LOST"),
        ((CHUNKED, chunk(_STARTED + b"data: nonsense\n\n"), chunk(b"")), "error", "BAD_UPSTREAM"),
        ((b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n",), "error", "INVALID_REQUEST"),
        ((b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",), "error", "HTTP_503"),
    ],
)
def test_each_way_a_worker_answers_ends_the_job_once(
    pieces: tuple[bytes, ...], kind: str, code: str | None
) -> None:
    async def scenario(bench: _Bench) -> None:
        ended, data = await _outcome(bench.submit())
        assert (ended, data.get("code")) == (kind, code)
        assert bench.worker.running == 0
        assert bench.runner.count == 0

    _run(_sends(*pieces), scenario)


def test_a_frozen_worker_is_given_up_after_the_silence() -> None:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(_STARTED))
        await asyncio.sleep(30)

    async def scenario(bench: _Bench) -> None:
        assert (await _outcome(bench.submit()))[1]["code"] == "WORKER_LOST"

    _run(script, scenario)


@pytest.mark.parametrize("noticed", ["before the connection broke", "after it"])
def test_a_job_that_lost_its_worker_says_how_the_worker_ended(noticed: str) -> None:
    """Whichever is noticed first; the event that told the worker's end precedes the job's."""
    told = "01a1fd0e-e76b-7000-8af6-61f9dbd2c55d"
    heard: list[dict[str, Any]] = []
    forget = subscribe(lambda line, context: heard.append(json.loads(line)))

    async def scenario(bench: _Bench) -> None:
        ending: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        bench.worker.exit = ending

        def end() -> None:
            bench.pool.set_gone(bench.worker, "backing off")
            asyncio.get_running_loop().call_later(0.05, ending.set_result, Exit("SIGNAL_9", told))

        job = bench.submit()

        def when_suspect() -> None:
            if bench.worker.is_suspect:
                end()

        if noticed == "after it":
            bench.pool.on_change = when_suspect
        else:
            await asyncio.sleep(0)
            end()
        data = (await _outcome(job))[1]
        assert data["code"] == "WORKER_LOST"
        assert data["message"].endswith(": SIGNAL_9")
        (failed,) = [event for event in heard if event.get("error_kind") == "WORKER_LOST"]
        assert told in failed["cause"]

    try:
        _run(_sends(CHUNKED, chunk(_STARTED)), scenario)
    finally:
        forget()


def test_a_job_that_never_reached_its_worker_may_be_tried_elsewhere() -> None:
    async def scenario(bench: _Bench) -> None:
        assert bench.worker.ready is not None
        nobody = dataclasses.replace(bench.worker.ready, address="127.0.0.1:9")
        bench.pool.set_ready(bench.worker, nobody)
        assert (await _outcome(bench.submit()))[1]["code"] == "WORKER_UNREACHABLE"
        assert bench.pool.slots == 0, "nothing more is placed there"

    _run(_sends(b""), scenario)


def test_a_suspect_worker_that_answers_gets_jobs_again() -> None:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"GET /health" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def scenario(bench: _Bench) -> None:
        changes: asyncio.Queue[int] = asyncio.Queue()
        bench.pool.on_change = lambda: changes.put_nowait(bench.pool.slots)
        assert (await _outcome(bench.submit()))[1]["code"] == "WORKER_LOST"
        async with asyncio.timeout(5):
            assert [await changes.get(), await changes.get()] == [0, 1]

    _run(script, scenario)


def test_no_more_jobs_are_taken_than_workers_have_slots() -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        with pytest.raises(ApiError) as refused:
            bench.runner.accept({})
        assert (refused.value.code, refused.value.status) == ("overloaded", 503)
        await _outcome(job)
        assert await _outcome(bench.submit())

    _run(_sends(CHUNKED, chunk(_STARTED + _END), chunk(b"")), scenario)


@pytest.mark.parametrize("who", ["the orchestrator asks", "the orchestrator left"])
def test_a_cancellation_reaches_the_worker_under_its_own_job_id(who: str) -> None:
    asked: list[bytes] = []
    cancelled = asyncio.Event()

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"POST /cancel " in head:
            asked.append(head)
            writer.write(b"HTTP/1.1 202 OK\r\nContent-Length: 2\r\n\r\n{}")
            cancelled.set()
            return
        writer.write(CHUNKED + chunk(_STARTED))
        await cancelled.wait()
        writer.write(chunk(_CANCELLED) + chunk(b""))

    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        async with asyncio.timeout(5):
            while not job.remote_id:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0)
        if who == "the orchestrator asks":
            bench.runner.cancel(job.id)
        else:
            bench.runner.caller_left(job)
        assert (await _outcome(job))[1]["code"] == "CANCELLED"
        assert len(asked) == 1
        assert f"x-parent-job-id: {job.id}".encode() in asked[0].lower()
        with pytest.raises(ApiError, match="has ended"):
            bench.runner.cancel(job.id)

    _run(script, scenario)


def test_the_end_of_the_pool_manager_ends_every_job() -> None:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(_STARTED))
        await asyncio.sleep(30)

    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        await asyncio.sleep(0)
        await bench.runner.close(5)
        assert (await _outcome(job))[1]["code"] == "SHUTTING_DOWN"

    _run(script, scenario)
