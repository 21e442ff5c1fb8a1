"""What is no HTTP request is refused in the services' own words, heard, and breaks nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.services.web import Refusal, Tokens, application, read_json, reply
from harness.services.web.protocol import MAX_HEAD_BYTES
from pytest_narration.emit import current_context

from .served import served

Heard = list[tuple[Refusal, str]]
_Scenario = Callable[[str, int], Awaitable[None]]


async def _health(request: Request) -> Response:
    return reply({"status": "ok"})


async def _echo(request: Request) -> Response:
    return reply(await read_json(request))


def _run(scenario: _Scenario) -> Heard:
    """Return what was refused, each with the correlation id under which it is narrated."""
    heard: Heard = []

    def refused(refusal: Refusal) -> None:
        context = current_context()
        assert context is not None
        heard.append((refusal, str(context.get("correlation_id"))))

    async def run() -> None:
        app = application(
            [Route("/health", _health), Route("/echo", _echo, methods=["POST"])],
            tokens=Tokens("t"),
            public=frozenset({"/health", "/echo"}),
            on_refusal=refused,
        )
        async with served(app) as address:
            host, port = address.split(":")
            async with asyncio.timeout(20):
                await scenario(host, int(port))

    asyncio.run(run())
    return heard


async def _send(host: str, port: int, *pieces: bytes) -> bytes:
    """Return all that the server says to these bytes until it hangs up."""
    reader, writer = await asyncio.open_connection(host, port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    said = await reader.read()
    writer.close()
    return said


def _parse(answer: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"DANCE /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_the_envelope_and_is_heard(sent: bytes) -> None:
    answers: list[bytes] = []

    async def scenario(host: str, port: int) -> None:
        answers.append(await _send(host, port, sent))

    ((refusal, correlation_id),) = _run(scenario)
    assert refusal == Refusal(
        "malformed", "request", 400, "invalid_request", "this is no HTTP/1.1 request"
    )
    status, headers, body = _parse(answers[0])
    assert (status, headers["connection"]) == (400, "close")
    assert headers["content-type"] == "application/json"
    assert headers["x-correlation-id"] == correlation_id
    assert body == {"error": {"code": "invalid_request", "message": refusal.message}}


def test_a_correlation_id_that_came_before_the_damage_is_kept() -> None:
    async def scenario(host: str, port: int) -> None:
        head = b"GET /health HTTP/1.1\r\nX-Correlation-Id: mine-1\r\nX-Next: a\r\n"
        await _send(host, port, head, b"no colon\r\n\r\n")

    ((_, correlation_id),) = _run(scenario)
    assert correlation_id == "mine-1"


def test_a_request_does_not_inherit_the_correlation_id_of_the_one_before() -> None:
    async def scenario(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /health HTTP/1.1\r\nX-Correlation-Id: first\r\n\r\n")
        assert b"ok" in await reader.readuntil(b"}")
        writer.write(b"\x00\x00\r\n\r\n")
        assert b"invalid_request" in await reader.read()
        writer.close()

    ((_, correlation_id),) = _run(scenario)
    assert correlation_id != "first"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * (MAX_HEAD_BYTES // 6) + b"\r\n",
    ],
)
def test_a_head_without_end_is_refused(sent: bytes) -> None:
    async def scenario(host: str, port: int) -> None:
        status, _, body = _parse(await _send(host, port, sent))
        assert status == 400
        assert str(MAX_HEAD_BYTES) in body["error"]["message"]

    assert len(_run(scenario)) == 1


def test_the_answer_to_a_whole_request_arrives_in_spite_of_what_follows_it() -> None:
    """Such as a body that is longer than its Content-Length says."""

    async def scenario(host: str, port: int) -> None:
        status, headers, body = _parse(
            await _send(
                host,
                port,
                b"POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: 2\r\n\r\n{}garbage\r\n\r\n",
            )
        )
        assert (status, body) == (200, {})
        assert headers["connection"] == "close"

    assert _run(scenario) == []


def test_a_body_that_breaks_off_in_nonsense_ends_its_request_alone() -> None:
    async def scenario(host: str, port: int) -> None:
        status, _, body = _parse(
            await _send(
                host,
                port,
                b"POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
            )
        )
        assert (status, body["error"]["code"]) == (400, "invalid_request")
        assert (await _send(host, port, b"GET /health HTTP/1.0\r\n\r\n")).endswith(b'"ok"}')

    ((refusal, _),) = _run(scenario)
    assert (refusal.method, refusal.path, refusal.status) == ("POST", "/echo", 400)
