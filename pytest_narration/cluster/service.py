"""One service of a cluster: what all kinds have, and the kind that somebody else runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ClusterError, SourceError, WaitTimeout
from ..recorder import Recorder
from ..sources import FileSource, Source
from .placeholders import Places
from .readiness import last_lines, wait_ready
from .settings import ServiceSettings

__all__ = ["RunningService", "Service"]


class Service:
    """What all services have; each kind says how it starts."""

    def __init__(
        self,
        settings: ServiceSettings,
        recorder: Recorder,
        places: Places,
        mapping: Mapping[str, Any],
    ) -> None:
        self.settings = settings
        self.recorder = recorder
        self._places = places
        self._mapping = mapping
        self._source: Source | None = None
        self._is_stopped = True
        self._began = 0

    @property
    def name(self) -> str:
        """Its name, under which the recorder knows what it prints."""
        return self.settings.name

    @property
    def url(self) -> str:
        """Where it answers, empty when it has no port."""
        return self._places.url(self.settings)

    @property
    def pid(self) -> int | None:
        """Its process on this machine, ``None`` when it has none."""
        return None

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs, or when none is known."""
        return None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return not self._is_stopped and self.returncode is None

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines that it printed, whatever they are."""
        lines: Callable[[int], list[str]] | None = getattr(self._source, "lines", None)
        return lines(count) if lines else []

    def start(self) -> None:
        """Start it; :meth:`wait_ready` says when it can be used.

        :raises ClusterError: it cannot be started.
        """
        self._began = self.recorder.mark()
        self._is_stopped = False
        self._places.release(self.name)
        try:
            self._source = self._open()
            if self._source is not None:
                self._source.start()
        except SourceError as error:
            self._is_stopped = True
            raise ClusterError(f"{self.name} cannot be started: {error}") from error
        except ClusterError:
            self._is_stopped = True
            raise

    def wait_ready(self) -> None:
        """Wait until it can be used.

        :raises ClusterError: it ended or was not ready in time.
        """
        wait_ready(self, since=self._began)

    def stop(self) -> None:
        """Ask it to end, and wait until it has.

        :raises ClusterError: it had to be killed.
        """
        if self._source is not None and not self._is_stopped:
            self._is_stopped = True
            self._source.stop(self.settings.stop_timeout)

    def restart(self) -> None:
        """Stop it if it runs, start it again at the same address and wait until it is ready."""
        self.stop()
        self.start()
        self.wait_ready()

    def kill(self) -> None:
        """End it as a crash would."""
        self._cannot("be killed")

    def pause(self) -> None:
        """Freeze it."""
        self._cannot("be paused")

    def resume(self) -> None:
        """Let it go on."""
        self._cannot("be resumed")

    def wait_ended(self, timeout: float) -> int:
        """Wait until it has ended by itself and return its exit code.

        :raises WaitTimeout: it still runs.
        """
        deadline = time.monotonic() + timeout
        while (code := self.returncode) is None:
            if time.monotonic() >= deadline:
                raise WaitTimeout(
                    f"waited {timeout:g} s for {self.name} to end; it still runs. "
                    f"{last_lines(self)}"
                )
            time.sleep(0.01)
        if self._source is not None:
            self._source.wait(timeout)
        return code

    def _open(self) -> Source | None:
        raise NotImplementedError

    def _cannot(self, what: str) -> None:
        raise ClusterError(
            f"{self.name} cannot {what}: it was not started here, only its address is known"
        )


class RunningService(Service):
    """A service that somebody else runs: its address and its log file are known, or one of them."""

    @property
    def is_running(self) -> bool:
        """Whether it is taken to be there; nobody can be asked."""
        return True

    def _open(self) -> FileSource | None:
        if not self.settings.log:
            return None
        root = self._places.fill("{root}", self.settings)
        return FileSource(
            os.path.join(root, self.settings.log),  # noqa: PTH118  # an absolute path stays one
            self.name,
            self.recorder,
            from_start=False,
            format=self.settings.format,
            mapping=self._mapping or None,
        )

    def restart(self) -> None:
        """Not possible."""
        self._cannot("be restarted")
