"""Faults of one service's process that its starter arranges.

What a running service suffers (kill, pause, partition) are methods of
:class:`~harness.launch.Service` and of the cluster's worker handles.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from pytest_narration.errors import ClusterError

from ..launch.docker_machine import published_port

__all__ = ["FullDisk", "FullDiskContainer", "LoneWorker"]

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
_PAUSE = 0.05


class LoneWorker(Protocol):
    """A worker that belongs to no pool manager."""

    url: str

    @property
    def returncode(self) -> int | None:
        """Its exit status, ``None`` while it runs."""


class FullDisk:
    """A worker whose stdout is a file on a full disk: every write fails with ENOSPC.

    :param token: of its interface.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with Path("/dev/full").open("wb") as full:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "harness.services.worker", f"--port={port}"),
                    # Its stdin is its lifeline: it ends with whoever holds the other end.
                    "--parent-fd=0",
                ],
                cwd=_ROOT,
                env={**os.environ, "NARRATION_API_TOKEN": self._token},
                stdin=subprocess.PIPE,
                stdout=full,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            _wait_ready(self)
        except BaseException:
            self._end()
            raise
        return self

    @property
    def returncode(self) -> int | None:
        """Its exit status, ``None`` while it runs."""
        return None if self._process is None else self._process.poll()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class FullDiskContainer:
    """The same in a container.

    :param create: of an engine: a worker's container of these arguments, with its port published.
    """

    def __init__(self, create: Callable[..., Any]) -> None:
        self._create = create
        self._container: Any = None
        self.url = ""

    def __enter__(self) -> Self:
        command = "exec python3 -m harness.services.worker --host=0.0.0.0 --port=8000 >/dev/full"
        self._container = self._create(["-c", command], entrypoint="sh")
        try:
            self._container.start()
            self.url = f"http://127.0.0.1:{published_port(self._container)}"
            _wait_ready(self)
        except BaseException:
            self._container.remove(force=True)
            raise
        return self

    @property
    def returncode(self) -> int | None:
        """Its exit status, ``None`` while it runs."""
        self._container.reload()
        state = self._container.attrs["State"]
        return None if state["Status"] == "running" else int(state["ExitCode"])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._container.remove(force=True)


def _wait_ready(worker: LoneWorker) -> None:
    """Ask until it is healthy: it can print nothing about it."""
    deadline = time.monotonic() + _START_SECONDS
    last: object = None
    while time.monotonic() < deadline:
        if worker.returncode is not None:
            raise ClusterError(f"a worker on a full disk ended with {worker.returncode}")
        try:
            answer = httpx.get(f"{worker.url}/health", timeout=2.0, trust_env=False)
            last = answer.text
            if answer.is_success and answer.json().get("status") == "ready":
                return
        except httpx.HTTPError as error:
            last = error
        time.sleep(_PAUSE)
    raise ClusterError(f"a worker on a full disk was not healthy in {_START_SECONDS:g} s: {last}")
