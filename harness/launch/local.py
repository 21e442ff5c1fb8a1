"""Services as child processes of the test run, on 127.0.0.1.

Nothing outlives the run: each process leads a session of its own, is ended by :meth:`close` or at
exit, and holds a pipe that ends with us, so that it notices even our ``kill -9``; on Linux also
when it is frozen at that moment.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pytest_narration.errors import ClusterError, EmitterDied, WaitTimeout
from pytest_narration.recorder import Recorder
from pytest_narration.sources import StreamSource

from . import clocks
from .protocol import Spec

__all__ = ["LocalLauncher", "LocalService"]

_ROOT = Path(__file__).resolve().parents[2]
_HOST = "127.0.0.1"
_KEPT_LINES = 400
_SHOWN_LINES = 15
_KILL_SECONDS = 10.0
_DRAIN_SECONDS = 5.0


class LocalService:
    """One service as a process; see :class:`~harness.launch.Service`."""

    def __init__(self, spec: Spec, recorder: Recorder, environment: Mapping[str, str]) -> None:
        self.name = spec.name
        self._spec = spec
        self._recorder = recorder
        self._environment = {**environment, **spec.environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._source: StreamSource | None = None
        self._stderr: _Tail | None = None
        self._lifeline = -1
        self._began = 0
        self._port = spec.port
        self._address: str | None = None
        self._held_port: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The running process."""
        return self._process.pid if self._process and self.returncode is None else None

    @property
    def address(self) -> str:
        """``host:port``."""
        if self._address is None:
            raise ClusterError(f"{self.name} has not been listening yet")
        return self._address

    @property
    def url(self) -> str:
        """Where it is reached, by us and by its peers."""
        return f"http://{self.address}"

    peer_url = url

    @property
    def returncode(self) -> int | None:
        """Exit status of the latest start."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process; see the protocol."""
        if self.pid is not None:
            raise ClusterError(f"{self.name} is running already, as pid {self.pid}")
        self._began = self._recorder.mark()
        lifeline, ours = os.pipe()
        command = [
            sys.executable,
            "-m",
            self._spec.module,
            *self._spec.arguments,
            f"--host={_HOST}",
            f"--port={self._port}",
            f"--parent-fd={lifeline}",
        ]
        try:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(lifeline,),
                # Ctrl-C in the terminal is for the test run, which ends its services in order.
                start_new_session=True,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(lifeline)
        self._process, self._lifeline = process, ours
        assert process.stdout is not None
        assert process.stderr is not None
        self._recorder.attach(self.name, process.poll, announces_end=True)
        self._stderr = _Tail(process.stderr)
        self._source = StreamSource(process.stdout, self.name, self._recorder)
        self._source.start()

    def wait_listening(self, timeout: float) -> str:
        """Wait for ``server_bind`` in its output; see the protocol."""
        try:
            match = self._recorder.wait_for(
                timeout=timeout,
                since=self._began,
                source=self.name,
                action="server_bind",
                service=self._spec.module.rpartition(".")[2].replace("_", "-"),
            )
        except EmitterDied as error:
            raise ClusterError(self.explain("ended before it was listening")) from error
        except WaitTimeout as error:
            raise ClusterError(self.explain(f"was not listening within {timeout:g} s")) from error
        address = str(match.event.field("address"))
        self._address, self._port = address, int(address.rpartition(":")[2])
        self.let_port_go()
        return address

    def wait_ended(self, timeout: float) -> int:
        """Wait until it ends by itself, with its output read; return its exit status.

        :raises ClusterError: it still runs.
        """
        assert self._process is not None, "nothing was started"
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ClusterError(self.explain(f"did not end within {timeout:g} s")) from None
        self._release()
        return status

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, then SIGKILL; see the protocol."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        self.kill()
        return process.returncode

    def let_port_go(self) -> None:
        """Let others have the port of a service that does not run."""
        if self._held_port is not None:
            self._held_port.close()
            self._held_port = None

    def kill(self) -> None:
        """SIGKILL; see the protocol."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{self.name}, pid {process.pid}, survives SIGKILL") from None
        self._release()

    def restart(self, timeout: float = 20.0) -> None:
        """Stop and start at the same port; see the protocol."""
        self.stop()
        self.start()
        self.wait_listening(timeout)

    def pause(self) -> None:
        """SIGSTOP; see the protocol."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT; see the protocol."""
        self._signal(signal.SIGCONT)

    def partition(self) -> None:
        """Refuse: all processes of a machine share one network; see the protocol."""
        raise ClusterError(
            f"{self.name} is a local process and cannot be cut off by itself: "
            "put proxies between the services (harness.faults.linked_cluster), or use Docker"
        )

    heal = partition

    def exec(
        self, command: Sequence[str], timeout: float = 10.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the service's environment; see the protocol."""
        return subprocess.run(
            list(command),
            cwd=_ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def logs(self) -> list[str]:
        """Return its latest lines; see the protocol."""
        records = self._recorder.since(self._began).records(source=self.name, channel="stdout")
        said = [f"{r.event.level} {r.event.actor}: {r.event.human}" for r in records]
        rejected = self._recorder.since(self._began).rejected
        said += [
            line.line.decode("utf-8", "replace") for line in rejected if line.source == self.name
        ]
        return said + [f"stderr: {line}" for line in (self._stderr.lines if self._stderr else ())]

    def explain(self, what: str) -> str:
        """Return what happened to the service, with its last lines."""
        status = self.returncode
        how = "it still runs" if status is None else f"exit status {status}"
        if status is not None and self._stderr is not None:
            self._stderr.join(1.0)
        lines = self.logs()[-_SHOWN_LINES:]
        quoted = "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"
        command = " ".join(("python", "-m", self._spec.module, *self._spec.arguments))
        return f"{self.name} {what}: {how}.\n  command: {command}\n  last lines:\n{quoted}"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            raise ClusterError(f"{self.name} is not running")
        self._process.send_signal(number)

    def _release(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if self._source is not None:
            # What it printed before it ended is read to the last byte.
            with contextlib.suppress(WaitTimeout):
                self._source.wait(_DRAIN_SECONDS)
            self._source.stop()
            self._source = None
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        if self._process is not None and "FAKETIME" in self._environment:
            clocks.forget(self._process.pid)
        self._hold_port()

    def _hold_port(self) -> None:
        """Keep others from taking the port until the service is started again.

        Bound and not listening, the socket refuses connections as a dead service does; with
        SO_REUSEADDR on both, the service can bind beside it.
        """
        if self._port and self._held_port is None:
            held = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind((_HOST, self._port))
            except OSError:
                held.close()  # somebody was faster; the next start will say so
            else:
                self._held_port = held
        if self._stderr is not None:
            self._stderr.join(1.0)


class LocalLauncher:
    """Makes services as local processes.

    :param environment: of every service.
    """

    kind = "process"
    names_peers = False

    def __init__(self, recorder: Recorder, environment: Mapping[str, str]) -> None:
        self._recorder = recorder
        self._environment = dict(environment)
        self._services: list[LocalService] = []
        # A test run that ends without its fixtures' clean-up still ends its services.
        self._at_exit = functools.partial(_close, weakref.ref(self))
        atexit.register(self._at_exit)

    def add(self, spec: Spec) -> LocalService:
        """Return the service, not yet started."""
        service = LocalService(spec, self._recorder, self._environment)
        self._services.append(service)
        return service

    def clock(self, seconds: int) -> Mapping[str, str]:
        """Return the environment of a service with a wrong clock; see the protocol."""
        return clocks.wrong_clock(seconds, clocks.library())

    def signal_worker(self, runs_as: str, number: int) -> None:
        """Signal a worker's process; see the protocol."""
        kind, _, pid = runs_as.partition(" ")
        if kind != "pid" or not pid.isdigit():
            raise ClusterError(f"a local worker runs as `pid <number>`, this one as `{runs_as}`")
        try:
            os.kill(int(pid), number)
        except ProcessLookupError:
            raise ClusterError(f"no process runs as {runs_as}") from None

    def worker_url(self, runs_as: str, address: str) -> str:
        """Return where a worker is reached; see the protocol."""
        return f"http://{address}"

    def close(self) -> None:
        """Ask all to end, then make sure of each."""
        atexit.unregister(self._at_exit)
        for service in reversed(self._services):
            service.stop()
            service.let_port_go()
        self._services.clear()


class _Tail:
    """Keeps the last lines of a stream that nobody else reads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._stream = stream
        self._thread = threading.Thread(target=self._read, name="stderr-tail", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))


def _close(launcher: weakref.ref[LocalLauncher]) -> None:
    alive = launcher()
    if alive is not None:
        alive.close()
