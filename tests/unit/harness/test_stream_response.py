"""A job's stream over HTTP: readers that read, leave, come back, or never read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from harness.services.stream import JobStream, Limits, SseResponse, parse_last_event_id
from harness.services.web import Tokens, application
from pytest_narration.sse import Decoder

from .served import served

_Scenario = Callable[[str, JobStream, aiohttp.ClientSession], Awaitable[None]]


def _run(stream: JobStream, scenario: _Scenario, *, keep_alive: float = 15.0) -> None:
    async def handle(request: Request) -> ASGIApp:
        return SseResponse(
            stream, last_event_id=parse_last_event_id(request), keep_alive=keep_alive
        )

    async def run() -> None:
        app = application(
            [Route("/stream", handle)], tokens=Tokens("t"), public=frozenset({"/stream"})
        )
        async with served(app) as address, aiohttp.ClientSession() as client:
            async with asyncio.timeout(20):
                await scenario(f"http://{address}/stream", stream, client)

    asyncio.run(run())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the peer's view of a socket has no event here
            await asyncio.sleep(0.005)


def test_frames_arrive_as_they_are_said() -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        stream.send("started")
        async with client.get(url) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-store"
            assert b"started" in await answer.content.readany()
            stream.send("token", text="ü")
            assert "ü" in (await answer.content.readany()).decode()
            stream.send("end")
            assert b"[DONE]" in await answer.content.read()

    _run(JobStream("job", done_marker=True), scenario)


def test_silence_is_filled_with_comments() -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        stream.send("started")
        async with client.get(url) as answer:
            text = b""
            while text.count(b": keep-alive\n\n") < 2:
                text += await answer.content.readany()
            stream.send("end")
            text += await answer.content.read()
        assert [event.type for event in Decoder().feed(text)] == ["started", "end"]

    _run(JobStream("job"), scenario, keep_alive=0.02)


def test_a_reader_that_leaves_frees_the_stream_and_ends_nothing() -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        stream.send("started")
        async with client.get(url) as first:
            await first.content.readany()
        await _until(lambda: stream._reader is None)
        assert stream.is_open
        stream.send("end")
        async with client.get(url) as second:
            text = await second.content.read()
        assert [event.type for event in Decoder().feed(text)] == ["started", "end"]

    _run(JobStream("job"), scenario)


def test_whoever_resumes_takes_over_and_the_first_reader_is_told_why() -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        stream.send("started")
        async with client.get(url) as first:
            await first.content.readany()
            async with client.get(url) as refused:
                assert refused.status == 409
            async with client.get(url, headers={"Last-Event-ID": "1"}) as second:
                assert second.status == 200
                (told,) = Decoder().feed(await first.content.read())
                assert (told.type, told.id) == ("error", "")
                why = json.loads(told.data)
                assert (why["code"], why["retryable"]) == ("READER_REPLACED", False)
                stream.send("end")
                (event,) = Decoder().feed(await second.content.read())
                assert (event.type, event.id) == ("end", "2")

    _run(JobStream("job"), scenario)


def test_a_reader_that_never_reads_costs_bounded_memory_and_is_told() -> None:
    """The socket fills, the ring drops, and what the reader finds at last says where to go on."""
    limits = Limits(frames=500, bytes=200_000)

    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        host, port = url.removeprefix("http://").removesuffix("/stream").split(":")
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(lazy, (host, int(port)))
            await loop.sock_sendall(lazy, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await _until(lambda: stream._reader is not None)
            for index in range(20_000):
                stream.send("token", index=index, text="x" * 400)
                if index % 100 == 0:
                    await asyncio.sleep(0)
                assert stream.kept_bytes <= 200_000
            assert stream.dropped > 10_000
            stream.send("end")
            text = b""
            while b"\n\n" not in text.partition(b'"READER_TOO_SLOW"')[2]:
                more = await loop.sock_recv(lazy, 1 << 16)
                assert more, "the response ended without a word"
                text += more
        told = json.loads(text.split(b"data: ")[-1].split(b"\n")[0])
        async with client.get(url, headers={"Last-Event-ID": str(told["resume_after"])}) as rest:
            events = Decoder().feed(await rest.content.read())
        assert [event.type for event in events[-2:]] == ["end", "message"]
        assert int(events[0].id) == told["resume_after"] + 1

    _run(JobStream("job", limits=limits, done_marker=True), scenario)


@pytest.mark.parametrize("last", ["abc", "-3", "1e3", "0x1", "1 2"])
def test_an_id_of_nobodys_is_a_400(last: str) -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        async with client.get(url, headers={"Last-Event-ID": last}) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "invalid_request"

    _run(JobStream("job"), scenario)


def test_what_is_gone_is_a_410_that_says_where_to_go_on() -> None:
    async def scenario(url: str, stream: JobStream, client: aiohttp.ClientSession) -> None:
        for index in range(9):
            stream.send("token", index=index)
        async with client.get(url, headers={"Last-Event-ID": "2"}) as answer:
            assert answer.status == 410
            assert (await answer.json())["error"]["resume_after"] == 6

    _run(JobStream("job", limits=Limits(frames=3)), scenario)
