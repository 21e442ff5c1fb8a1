"""A node registers, beats, and finds its way back, whatever its orchestrator does."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from harness.services.hop import Hop, HopError
from harness.services.pool_manager.registration import Registration
from harness.services.pool_manager.settings import Settings
from harness.services.web import Tokens
from pytest_narration.emit import subscribe

from .scripted_peer import scripted_peer

EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8058"

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_UNKNOWN = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BROKEN = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def said() -> Iterator[list[tuple[str, str]]]:
    lines: list[tuple[str, str]] = []

    def hear(line: bytes, context: object) -> None:
        event = json.loads(line)
        lines.append((event["level"], event["action"]))

    stop = subscribe(hear)
    yield lines
    stop()


def _talk(*answers: bytes, until: int) -> list[str]:
    """Answer the node's calls in this order, then well; return the first calls it made."""

    async def run() -> list[str]:
        calls: list[str] = []
        enough = asyncio.Event()
        script_answers = iter(answers)

        async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
            calls.append(head.split(b" HTTP")[0].decode())
            if len(calls) >= until:
                enough.set()
            writer.write(next(script_answers, _OK))

        await _with(script, enough.wait)
        return calls[:until]

    return asyncio.run(run())


async def _with(
    script: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    scenario: Callable[[], Awaitable[object]],
    *,
    capacity: Callable[[], dict[str, int]] = lambda: {"slots": 0},
    changes: Callable[[Registration], None] = lambda registration: None,
) -> None:
    async with scripted_peer(script) as address:
        hop = Hop(Tokens("t"))
        settings = Settings(orchestrator_url=f"http://{address}", heartbeat=0.01)
        registration = Registration(settings, hop, "127.0.0.1:1", capacity)
        changes(registration)
        registration.start()
        try:
            async with asyncio.timeout(10):
                await scenario()
        finally:
            await registration.stop()
            await hop.close()


_REGISTER = "POST /v2/nodes/register"
_BEAT = "POST /v2/nodes/node-0/heartbeat"


def test_it_registers_once_and_then_beats() -> None:
    assert _talk(until=3) == [_REGISTER, _BEAT, _BEAT]


def test_it_registers_again_when_it_was_forgotten() -> None:
    assert _talk(_OK, _UNKNOWN, until=4) == [_REGISTER, _BEAT, _REGISTER, _BEAT]


def test_an_outage_is_said_once_and_its_end_too(said: list[tuple[str, str]]) -> None:
    _talk(_OK, _BROKEN, _BROKEN, _BROKEN, _OK, until=6)
    assert said[:3] == [
        ("info", "node_register"),
        ("warn", "error"),
        ("info", "heartbeat_recover"),
    ]


def test_an_orchestrator_that_is_not_there_yet_is_waited_for(said: list[tuple[str, str]]) -> None:
    assert _talk(_BROKEN, _BROKEN, until=4) == [_REGISTER, _REGISTER, _REGISTER, _BEAT]
    assert [level for level, _ in said].count("warn") == 1


def _beats_of(slots: list[int], cause: str, *, at: int) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Beat with these slots, an event following before the beat number ``at``; what was told."""
    heard: list[dict[str, Any]] = []
    beats: list[bytes] = []
    registrations: list[Registration] = []
    forget = subscribe(lambda line, context: heard.append(json.loads(line)))

    async def run() -> None:
        enough = asyncio.Event()

        async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
            if b"heartbeat" in head:
                beats.append(head)
                if len(beats) == len(slots):
                    enough.set()
            writer.write(_OK)

        def capacity() -> dict[str, int]:
            number = min(len(beats), len(slots) - 1)
            if number == at:
                registrations[0].follow(cause)
            return {"slots": slots[number]}

        await _with(script, enough.wait, capacity=capacity, changes=registrations.append)

    try:
        asyncio.run(run())
    finally:
        forget()
    return [event for event in heard if event["action"] == "capacity_report"], beats


def test_a_change_of_the_capacity_is_said_once_with_its_cause() -> None:
    cause = EVENT_ID
    (told,), beats = _beats_of([0, 4, 4, 4], cause, at=1)
    assert told["human"] == "Reporting 4 slots of node node-0"
    assert cause in told["cause"]
    assert told["event_id"].encode() in beats[1]


def test_a_worker_that_reports_twice_puts_no_event_of_its_request_into_a_heartbeat() -> None:
    """The orchestrator would name it as a cause: an event under another correlation id."""
    cause = EVENT_ID
    (told,), beats = _beats_of([4, 4, 4], cause, at=1)
    assert cause not in told.get("cause", ())
    assert not [beat for beat in beats if cause.encode() in beat]


def test_an_orchestrator_that_starts_at_the_same_time_is_waited_for_without_a_word(
    said: list[tuple[str, str]],
) -> None:
    async def run() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            host, port = free.getsockname()
        settings = Settings(orchestrator_url=f"http://{host}:{port}", join_patience=60.0)
        beaten, refused = asyncio.Event(), asyncio.Event()

        async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
            if b"heartbeat" in head:
                beaten.set()
            writer.write(_OK)

        class Watched(Hop):
            async def call(self, *args: Any, **options: Any) -> dict[str, Any]:
                try:
                    return await super().call(*args, **options)
                except HopError:
                    refused.set()
                    raise

        hop = Watched(Tokens("t"))
        registration = Registration(settings, hop, "127.0.0.1:1", lambda: {"slots": 0})
        registration.start()
        try:
            async with asyncio.timeout(10):
                await refused.wait()
                async with scripted_peer(script, port=port):
                    await beaten.wait()
                    await registration.stop()
        finally:
            await hop.close()

    asyncio.run(run())
    assert said == [("info", "node_register"), ("info", "node_deregister")]


def test_it_says_goodbye() -> None:
    calls: list[str] = []

    async def run() -> None:
        beaten = asyncio.Event()

        async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
            calls.append(head.split(b" HTTP")[0].decode())
            if "heartbeat" in calls[-1]:
                beaten.set()
            writer.write(_OK)

        await _with(script, beaten.wait)

    asyncio.run(run())
    assert calls[-1] == "DELETE /v2/nodes/node-0"
