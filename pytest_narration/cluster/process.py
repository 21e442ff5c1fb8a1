"""A service that is a program started here."""

from __future__ import annotations

import contextlib
import os
import signal

from ..errors import ClusterError
from ..sources import ProcessSource
from .placeholders import HOST
from .readiness import last_lines, unreachable
from .service import Service

__all__ = ["ProcessService"]


class ProcessService(Service):
    """A program that is started here."""

    _process: ProcessSource | None = None

    @property
    def pid(self) -> int | None:
        """Its process, also when that has ended; ``None`` before the first start."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        return self._process.returncode if self._process else None

    def _open(self) -> ProcessSource:
        settings = self.settings

        def fill(text: str) -> str:
            return self._places.fill(text, settings)

        self._check_ports()
        root = self._places.fill("{root}", settings)
        self._process = ProcessSource(
            [fill(word) for word in settings.command],
            self.name,
            self.recorder,
            env={key: fill(value) for key, value in settings.env.items()},
            cwd=os.path.join(root, fill(settings.cwd)),  # noqa: PTH118  # stays text for Popen
            format=settings.format,
            mapping=self._mapping or None,
        )
        return self._process

    def _check_ports(self) -> None:
        """Refuse a port where somebody listens: who does would be taken for the service."""
        for name, port in self._places.ports(self.name).items():
            if not unreachable(HOST, port):
                raise ClusterError(
                    f"{self.name} cannot be started: its {name} {port} is taken, something listens "
                    f"there already. End that; or leave {name} out of its `ports`, for a free one"
                )

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has.

        :raises ClusterError: it did not, and was killed.
        """
        process = self._process
        if process is None or self._is_stopped:
            return
        self._is_stopped = True
        with contextlib.suppress(ProcessLookupError):
            self._signal(signal.SIGCONT)
        ended_before = process.returncode is not None
        ending = process.stop(self.settings.stop_timeout)
        if not ended_before and ending is not None and ending.detail == "killed":
            raise ClusterError(
                f"{self.name} did not stop within {self.settings.stop_timeout:g} s of SIGTERM and "
                f"was killed; stop_timeout gives it longer. {last_lines(self)}"
            )

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(self.settings.stop_timeout)

    def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.pid and self.returncode is None:
            # Its session has its children too, such as the workers of a server.
            os.killpg(self._process.pid, number)
