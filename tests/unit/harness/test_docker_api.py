"""The pool manager's own client of a Docker engine, against a scripted one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.pool_manager.containers import DockerEngine
from harness.services.pool_manager.docker_api import (
    STDERR,
    STDOUT,
    DockerApi,
    DockerRefused,
    pieces,
)


def _frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


class _Engine(ThreadingMixIn, UnixStreamServer):
    """Answers like an engine whose containers print ``said`` and end with ``status``."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.said = _frame(STDOUT, b"one\ntw") + _frame(STDERR, b"bad\n") + _frame(STDOUT, b"o\n")
        self.status = 137
        self.refuses: dict[str, int] = {}
        self.calls: list[tuple[str, str]] = []
        self.created: dict[str, Any] = {}
        self.signals: list[str] = []
        self.lives = threading.Event()
        self.ended = threading.Event()
        super().__init__(path, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Engine
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        path = self.path.removeprefix("/v1.41").partition("?")[0]
        verb = path.rpartition("/")[2]
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else {}
        self.server.calls.append((self.command, path))
        if verb in self.server.refuses:
            return self._answer(self.server.refuses[verb], {"message": f"no {verb} for you"})
        if verb == "create":
            self.server.created = body
            return self._answer(201, {"Id": "c0ffee"})
        if verb == "attach":
            return self._attach()
        if verb == "wait":
            return self._wait()
        if verb == "start":
            self.server.lives.set()
        if verb == "kill":
            self.server.signals.append(self.path.rpartition("=")[2])
            self.server.ended.set()
        return self._answer(204, None)

    def _attach(self) -> None:
        self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n")
        self.server.lives.wait(5)
        with contextlib.suppress(OSError):  # who attached may have left
            self.wfile.write(self.server.said)
        self.server.ended.wait(5)
        self.close_connection = True

    def _wait(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.server.ended.wait(5)
        self.wfile.write(json.dumps({"StatusCode": self.server.status}).encode())
        self.close_connection = True

    def _answer(self, status: int, body: object) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[_Engine]:
    with _Engine(str(tmp_path / "engine.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


def _workers(engine: _Engine, **options: Any) -> DockerEngine:
    return DockerEngine(
        image="narration/worker:latest",
        networks=("node", "control"),
        labels={"narration.run": "r1"},
        prefix="narration-r1-",
        api=DockerApi(str(engine.server_address), timeout=5.0),
        **options,
    )


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=300)), max_size=8))
def test_the_pieces_of_a_stream_joined_are_what_was_written(
    written: list[tuple[int, bytes]],
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"".join(_frame(*each) for each in written))
        found = list(pieces(ours))
    for stream in (STDOUT, STDERR):
        assert b"".join(p for s, p in found if s == stream) == b"".join(
            p for s, p in written if s == stream
        )


def test_a_stream_that_breaks_in_a_frame_gives_what_came() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(_frame(STDOUT, b"whole") + _frame(STDOUT, b"cut off")[:-4])
        assert b"".join(piece for _, piece in pieces(ours)) == b"wholecut"


@pytest.mark.asyncio
async def test_a_worker_prints_into_two_pipes_and_ends_with_a_signal(engine: _Engine) -> None:
    running = _workers(engine).spawn("worker-gpu0-r1", ["--slots=4"], {})
    await asyncio.to_thread(engine.lives.wait, 5)
    running.kill()
    assert await asyncio.wait_for(running.wait(), 5) == -9
    assert engine.signals == ["SIGKILL"]
    assert (_read(running.stdout), _read(running.stderr)) == (b"one\ntwo\n", b"bad\n")


@pytest.mark.asyncio
async def test_a_worker_that_is_stopped_before_it_was_started_is_stopped(engine: _Engine) -> None:
    engine.status = 0
    running = _workers(engine).spawn("worker-gpu0-r1", [], {})
    running.terminate()
    assert await asyncio.wait_for(running.wait(), 5) == 0
    assert "SIGTERM" in engine.signals
    _read(running.stdout), _read(running.stderr)


@pytest.mark.asyncio
async def test_the_engine_is_listened_to_before_the_worker_starts(engine: _Engine) -> None:
    """Or its first lines, or its end, could be missed."""
    running = _workers(engine).spawn("worker-gpu0-r1", [], {})
    await asyncio.to_thread(engine.lives.wait, 5)
    engine.ended.set()
    await asyncio.wait_for(running.wait(), 5)
    verbs = [path.rpartition("/")[2] for _, path in engine.calls]
    assert verbs[:5] == ["create", "connect", "wait", "attach", "start"]
    _read(running.stdout), _read(running.stderr)


@pytest.mark.asyncio
@pytest.mark.parametrize("verb", ["create", "connect", "attach", "start"])
async def test_what_the_engine_refuses_is_an_exit_with_its_words(
    engine: _Engine, verb: str
) -> None:
    engine.refuses[verb] = 404
    running = _workers(engine).spawn("worker-gpu0-r1", [], {})
    assert await asyncio.wait_for(running.wait(), 5) == 125
    assert (_read(running.stdout), verb in _read(running.stderr).decode()) == (b"", True)
    removed = ("DELETE", "/containers/c0ffee") in engine.calls
    assert removed == (verb != "create"), "what was created must not stay"


@pytest.mark.asyncio
async def test_an_engine_that_is_gone_is_an_exit_with_the_reason(tmp_path: Path) -> None:
    gone = DockerEngine(image="i", networks=(), labels={}, api=DockerApi(str(tmp_path / "no.sock")))
    running = gone.spawn("worker-gpu0-r1", [], {})
    assert await asyncio.wait_for(running.wait(), 5) == 125
    _read(running.stdout)
    assert b"No such file" in _read(running.stderr)


@pytest.mark.asyncio
@pytest.mark.parametrize("gpus", [True, False])
async def test_a_worker_is_asked_for_as_a_node_agent_would(
    engine: _Engine, monkeypatch: pytest.MonkeyPatch, gpus: bool
) -> None:
    monkeypatch.setenv("NARRATION_API_TOKEN", "t")
    monkeypatch.setenv("SOMETHING_ELSE", "secret")
    carried = {"TRACESTATE": "narration=e"}
    running = _workers(engine, gpus=gpus).spawn("worker-gpu0-r1", ["--slots=4"], carried)
    await asyncio.to_thread(engine.lives.wait, 5)
    engine.ended.set()
    await asyncio.wait_for(running.wait(), 5)
    _read(running.stdout), _read(running.stderr)
    asked = engine.created
    assert asked["Cmd"] == ["--slots=4", "--parent-fd=0"]
    assert asked["StdinOnce"], "its stdin is its lifeline"
    assert "NARRATION_API_TOKEN=t" in asked["Env"]
    assert "TRACESTATE=narration=e" in asked["Env"]
    assert not any(each.startswith("SOMETHING_ELSE") for each in asked["Env"])
    assert asked["Labels"] == {"narration.run": "r1"}
    host = asked["HostConfig"]
    assert host["PortBindings"]["8000/tcp"][0]["HostIp"] == "127.0.0.1"
    assert bool(host["DeviceRequests"]) is gpus
    name = running.name.removeprefix("container ")
    assert running.reach("0.0.0.0:8000") == f"{name}.node:8000"
    assert running.reach("172.18.0.1:4711") == "172.18.0.1:4711"
    assert asked["NetworkingConfig"]["EndpointsConfig"] == {"node": {"Aliases": [f"{name}.node"]}}


def test_a_refusal_quotes_the_engine(engine: _Engine) -> None:
    engine.refuses["start"] = 500
    with pytest.raises(DockerRefused, match="500 no start for you"):
        DockerApi(str(engine.server_address)).start("c0ffee")
