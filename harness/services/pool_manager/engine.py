"""What workers run in: a command -> a running worker with its output.

The provisioner knows only :class:`Engine` and :class:`Running`; local processes are one engine,
containers another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["Engine", "ProcessEngine", "Running"]


class Running(Protocol):
    """One start of one worker."""

    @property
    def name(self) -> str:
        """What its engine calls it: ``"pid 4711"``, a container's name."""

    @property
    def stdout(self) -> int:
        """Read end of its stdout; whoever reads it closes it."""

    @property
    def stderr(self) -> int:
        """Read end of its stderr; whoever reads it closes it."""

    def reach(self, address: str) -> str:
        """Return where peers reach it, given the address that it says it listens on."""

    async def wait(self) -> int:
        """Return its exit status, negative for a signal, as soon as it has ended."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Engine(Protocol):
    """Starts workers."""

    @property
    def kind(self) -> str:
        """``"process"``, ``"docker"``."""

    def spawn(
        self, worker_id: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> Running:
        """Start a worker with these arguments of its command line.

        ``--host``, ``--port`` and ``--parent-fd`` are the engine's business.

        :param environment: variables beside this process's own.

        :raises OSError: it cannot be started.
        """


class ProcessEngine:
    """Workers as child processes, which end when this process does, however it does.

    :param host: the address that they bind.
    """

    kind = "process"

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host

    def spawn(
        self, worker_id: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> Running:
        """Start ``python -m harness.services.worker``; see :class:`Engine`."""
        lifeline, ours = os.pipe()
        try:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "harness.services.worker",
                    f"--host={self._host}",
                    "--port=0",
                    *arguments,
                    f"--parent-fd={lifeline}",
                ],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(lifeline,),
                # Ctrl-C in a terminal is for us; we end the workers in our own order.
                process_group=0,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(lifeline)
        return _Process(process, ours)


class _Process:
    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        # Descriptors of our own: the threads that read them outlive the Popen object's care.
        self.stdout = os.dup(process.stdout.fileno())
        self.stderr = os.dup(process.stderr.fileno())
        process.stdout.close()
        process.stderr.close()
        self._process = process
        self._lifeline = lifeline
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        threading.Thread(target=self._reap, name=f"reap-{process.pid}", daemon=True).start()

    @property
    def name(self) -> str:
        return f"pid {self._process.pid}"

    def reach(self, address: str) -> str:
        return address

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _reap(self) -> None:
        status = self._process.wait()
        os.close(self._lifeline)
        if not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop closed in between
                self._loop.call_soon_threadsafe(self._settle, status)

    def _settle(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)
