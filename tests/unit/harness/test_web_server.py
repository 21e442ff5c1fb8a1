"""A service as a process: what it says when it starts, cannot start, and is told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[3]
_PATIENCE = 20.0


@contextmanager
def _orchestrator(*arguments: str, token: str = "t", **options: Any) -> Iterator[Any]:
    environment = {**os.environ, "NARRATION_API_TOKEN": token}
    with subprocess.Popen(
        [sys.executable, "-m", "harness.services.orchestrator", *arguments],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _until(process: subprocess.Popen[bytes], action: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["action"] == action:
            return event
    raise AssertionError(f"it ended without saying {action}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_gracefully_with_status_0(number: signal.Signals) -> None:
    with _orchestrator() as process:
        bound = _until(process, "server_bind")
        assert bound["address"] == f"127.0.0.1:{bound['port']}"
        process.send_signal(number)
        assert _until(process, "server_shutdown")["reason"] == number.name
        assert process.wait(_PATIENCE) == 0


def test_a_second_signal_ends_it_at_once() -> None:
    """An open request would otherwise hold a graceful end for the whole grace."""
    with _orchestrator("--grace=60") as process:
        port = _until(process, "server_bind")["port"]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            _begin_a_request(connection)
            # Answered on another connection only after the first one was accepted.
            _health(port)
            process.terminate()
            _until(process, "server_shutdown")
            process.terminate()
            assert process.wait(_PATIENCE) == 128 + signal.SIGTERM


def test_an_unfinished_request_holds_the_end_no_longer_than_the_grace() -> None:
    with _orchestrator("--grace=1") as process:
        port = _until(process, "server_bind")["port"]
        with socket.create_connection(("127.0.0.1", port)) as connection:
            _begin_a_request(connection)
            _health(port)
            process.terminate()
            assert process.wait(_PATIENCE) == 0


def test_a_taken_port_is_said_and_is_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _orchestrator(f"--port={port}") as process:
            event = _until(process, "error")
            assert event["human"] == f"Failed to bind 127.0.0.1:{port}: EADDRINUSE"
            assert event["level"] == "error"
            assert process.wait(_PATIENCE) == 1


def test_a_host_that_is_none_is_said_too() -> None:
    with _orchestrator("--host=256.0.0.1") as process:
        assert _until(process, "error")["error_kind"] == "EAI_NONAME"
        assert process.wait(_PATIENCE) == 1


def test_without_a_token_it_prints_what_to_do_and_no_event() -> None:
    with _orchestrator(token=" ") as process:
        out, err = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 2
    assert out == b""
    assert b"NARRATION_API_TOKEN is not set" in err


def test_it_ends_with_the_process_that_started_it() -> None:
    lifeline, ours = os.pipe()
    with _orchestrator(f"--parent-fd={lifeline}", pass_fds=(lifeline,)) as process:
        os.close(lifeline)
        _until(process, "server_bind")
        os.close(ours)
        assert _until(process, "server_shutdown")["reason"] == "parent gone"
        assert process.wait(_PATIENCE) == 0


def test_it_listens_on_ipv6_and_says_so() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with _orchestrator("--host=::1") as process:
        bound = _until(process, "server_bind")
        assert bound["address"] == f"[::1]:{bound['port']}"


def _begin_a_request(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )


def _health(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
