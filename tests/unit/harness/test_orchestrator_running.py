"""Whatever a node does, the job's stream ends with exactly one end or error, then [DONE]."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.services.hop import Hop
from harness.services.orchestrator.admission import JobRequest
from harness.services.orchestrator.jobs import Job, State
from harness.services.orchestrator.nodes import Node, NodeRegistry
from harness.services.orchestrator.placement import Scheduler
from harness.services.orchestrator.running import Patience, Runner
from harness.services.stream import encode_frame
from harness.services.web import ApiError, Tokens
from pytest_narration.emit import narration_context
from pytest_narration.sse import Decoder

from .scripted_peer import CHUNKED, Script, chunk, scripted_peer

_PATIENCE = Patience(queue=30, connect=30, silence=30, cancel=0.3)
"""Nothing runs out, on the slowest machine, in a test that does not ask for it."""
_STARTED = encode_frame("started", b'{"type":"started","job_id":"remote"}', 1)
_TOKEN = encode_frame("token", b'{"type":"token","text":"a"}', 2)
_END = encode_frame("end", b'{"type":"end","tokens_out":1}', 3)


class _Bench:
    """A runner with one node, and the jobs that ended."""

    def __init__(self, hop: Hop, address: str, slots: int, patience: Patience) -> None:
        self.nodes = NodeRegistry()
        self.node = Node("n", address, "pool", "i", heartbeat=60.0)
        self.nodes.register(self.node)
        self.scheduler = Scheduler(self.nodes)
        self.ended: list[Job] = []
        self.runner = Runner(
            self.nodes, self.scheduler, hop, patience=patience, on_end=self.ended.append
        )
        self.nodes.heartbeat("n", "i", slots, {})

    def submit(self) -> Job:
        job = Job(JobRequest("hi", 1, None, None, None), owner="o", correlation_id="c")
        with narration_context(correlation_id="c", job_id=job.id, channel=job.stream):
            job.stream.send("started", job_id=job.id)
            self.runner.start(job)
        return job


async def _frames(job: Job) -> list[tuple[str, dict[str, Any]]]:
    """Read the job's stream to its end; ``[("error", {...}), ...]``."""
    reader = job.stream.attach()
    text, is_last = b"", False
    async with asyncio.timeout(60):
        while not is_last:
            more, is_last = await reader.next(5.0)
            text += more
    events = Decoder().feed(text)
    assert events[-1].data == "[DONE]"
    kinds = [event.type for event in events]
    assert kinds.count("end") + kinds.count("error") == 1
    assert kinds[-2] in ("end", "error")
    return [(event.type, json.loads(event.data)) for event in events[:-1]]


def _run(
    script: Script,
    scenario: Callable[[_Bench], Awaitable[None]],
    slots: int = 1,
    patience: Patience = _PATIENCE,
) -> None:
    async def run() -> None:
        hop = Hop(Tokens("t"))
        async with scripted_peer(script) as address:
            try:
                await scenario(_Bench(hop, address, slots, patience))
            finally:
                await hop.close()

    asyncio.run(run())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - states of the runner that nobody announces
            await asyncio.sleep(0)


def _sends(*pieces: bytes) -> Script:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return script


async def _silent(head: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _starts_then_silent(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + chunk(_STARTED))
    await asyncio.sleep(30)


def test_a_good_stream_is_relayed_and_the_slot_comes_back() -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        frames = await _frames(job)
        assert ("token", {"type": "token", "text": "a"}) in frames
        assert frames[-1] == ("end", {"type": "end", "tokens_out": 1})
        assert job.state is State.COMPLETED
        assert bench.ended == [job]
        assert bench.node.running == 0

    _run(_sends(CHUNKED, chunk(_STARTED), chunk(_TOKEN + _END), chunk(b"")), scenario)


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((CHUNKED, chunk(_STARTED + _TOKEN)), "NODE_LOST"),
        ((CHUNKED, chunk(_STARTED), b"5\r\nab"), "NODE_LOST"),
        ((CHUNKED, chunk(_STARTED + _TOKEN), chunk(b"")), "BAD_UPSTREAM"),
        ((CHUNKED, chunk(_STARTED + b"data: \xff\xfe\n\n")), "BAD_UPSTREAM"),
        ((CHUNKED, chunk(_TOKEN)), "BAD_UPSTREAM"),
        ((CHUNKED, chunk(_STARTED + encode_frame("end", b'{"type":"end"', 9))), "BAD_UPSTREAM"),
    ],
)
def test_a_stream_that_breaks_ends_the_job_with_one_error(
    pieces: tuple[bytes, ...], code: str
) -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        kind, data = (await _frames(job))[-1]
        assert (kind, data["code"], data["retryable"]) == ("error", code, True)
        assert job.state is State.FAILED
        assert bench.node.running == 0

    _run(_sends(*pieces), scenario)


def test_a_node_that_falls_silent_is_given_up() -> None:
    async def scenario(bench: _Bench) -> None:
        assert (await _frames(bench.submit()))[-1][1]["code"] == "NODE_LOST"

    _run(_starts_then_silent, scenario, patience=replace(_PATIENCE, silence=0.5))


@pytest.mark.parametrize(
    "script",
    [
        _silent,
        _sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        _sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"),
        _sends(b"\x00\xffrubbish\r\n\r\n"),
        _sends(b""),
    ],
)
def test_a_node_that_does_not_take_the_job_is_not_asked_again_until_it_speaks(
    script: Script,
) -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        frames = await _frames(job)
        said = [data["event"]["action"] for kind, data in frames if kind == "narration"]
        assert said == ["job_dispatch", "dispatch_refused", "job_queue", "error"]
        assert frames[-1][1]["code"] == "QUEUE_TIMEOUT"
        assert not bench.node.is_accepting
        assert bench.node.running == 0

    _run(script, scenario, patience=replace(_PATIENCE, queue=0.5, connect=0.5))


def test_a_refused_job_runs_when_the_node_speaks_again() -> None:
    asked = 0

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(CHUNKED + chunk(_STARTED + _END) + chunk(b""))

    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        reading = asyncio.create_task(_frames(job))
        await _until(lambda: bench.scheduler.waiting == 1)
        bench.nodes.heartbeat("n", "i", 1, {})
        assert (await reading)[-1][0] == "end"

    _run(script, scenario)


def test_a_job_that_no_worker_began_is_placed_again() -> None:
    asked = 0
    not_begun = encode_frame("error", b'{"type":"error","code":"WORKER_UNREACHABLE"}', 2)

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        last = not_begun if asked == 1 else _END
        writer.write(CHUNKED + chunk(_STARTED + last) + chunk(b""))

    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        reading = asyncio.create_task(_frames(job))
        await _until(lambda: bench.scheduler.waiting == 1)
        bench.nodes.heartbeat("n", "i", 1, {})
        assert (await reading)[-1][0] == "end"
        assert asked == 2

    _run(script, scenario)


def test_a_400_of_the_node_ends_the_job_at_once() -> None:
    body = b'{"error":{"code":"invalid_request","message":"no"}}'
    answer = (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    async def scenario(bench: _Bench) -> None:
        data = (await _frames(bench.submit()))[-1][1]
        assert (data["code"], data["message"]) == ("INVALID_REQUEST", "no")

    _run(_sends(answer), scenario)


def test_a_queued_job_does_not_wait_for_ever() -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        data = (await _frames(job))[-1][1]
        assert (data["code"], data["retryable"]) == ("QUEUE_TIMEOUT", True)
        assert bench.scheduler.waiting == 0

    _run(_silent, scenario, slots=0, patience=replace(_PATIENCE, queue=0.5))


@pytest.mark.parametrize("slots", [0, 1])
def test_a_job_is_cancelled_before_it_began(slots: int) -> None:
    """The cancellation comes before the job's task has run at all."""

    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        bench.runner.cancel(job)
        bench.runner.cancel(job)
        assert (await _frames(job))[-1][1]["code"] == "CANCELLED"
        assert job.state is State.CANCELLED
        assert bench.node.running == 0
        with pytest.raises(ApiError, match="has ended"):
            bench.runner.cancel(job)

    _run(_silent, scenario, slots)


def test_a_node_that_ignores_a_cancellation_does_not_hold_the_job() -> None:
    async def scenario(bench: _Bench) -> None:
        job = bench.submit()
        await _until(lambda: job.on_cancel is not None)
        bench.runner.cancel(job)
        assert (await _frames(job))[-1][1]["code"] == "CANCELLED"

    _run(_starts_then_silent, scenario)


def test_the_end_of_the_orchestrator_ends_every_job() -> None:
    async def scenario(bench: _Bench) -> None:
        jobs = [bench.submit() for _ in range(3)]
        await _until(lambda: bench.scheduler.waiting == 2)
        await bench.runner.close("stop", 5)
        for job in jobs:
            assert (await _frames(job))[-1][1]["code"] == "SHUTTING_DOWN"
        assert len(bench.ended) == 3

    _run(_starts_then_silent, scenario)
