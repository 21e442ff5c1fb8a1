"""The seam between the cluster and what its services run in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from subprocess import CompletedProcess
from typing import Protocol

__all__ = ["Launcher", "Service", "Spec"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What is to run: ``python -m <module> <arguments>``."""

    name: str
    """Unique in the cluster; the name of its source in the recorder, a host name in containers."""
    module: str
    """``"harness.services.orchestrator"``."""
    arguments: tuple[str, ...] = ()
    """Without ``--host``, ``--port`` and ``--parent-fd``: those are the launcher's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside what all services get."""
    port: int = 0
    """Of its first start; 0 lets the kernel choose. Containers choose themselves."""


class Service(Protocol):
    """One service of a cluster, over all its restarts."""

    @property
    def name(self) -> str:
        """Its name in the cluster."""

    @property
    def pid(self) -> int | None:
        """Its process on this machine, ``None`` when it has none or is not running."""

    @property
    def address(self) -> str:
        """``host:port`` where this process reaches it.

        :raises ClusterError: it was never listening.
        """

    @property
    def url(self) -> str:
        """``http://`` and :attr:`address`."""

    @property
    def peer_url(self) -> str:
        """Where the cluster's other services reach it."""

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; ``None`` while it runs."""

    def start(self) -> None:
        """Start it; returns before it listens."""

    def wait_listening(self, timeout: float) -> str:
        """Wait for its ``server_bind`` and return the address.

        :raises ClusterError: it ended or did not listen in time; the message quotes its last lines.
        """

    def stop(self, timeout: float = 10.0) -> int:
        """End it gracefully, by force after ``timeout`` seconds; return the exit status."""

    def kill(self) -> None:
        """End it as a crash would (SIGKILL), and wait until it has ended."""

    def restart(self, timeout: float = 20.0) -> None:
        """Stop it if it runs, and start it at the same address; returns when it listens."""

    def pause(self) -> None:
        """Freeze it: its connections stay open, nothing is answered."""

    def resume(self) -> None:
        """Let a paused service go on."""

    def partition(self) -> None:
        """Cut it from the cluster's other nodes; we and its own workers still reach it.

        :raises ClusterError: what the services run in has no network of its own.
        """

    def heal(self) -> None:
        """End a partition."""

    def exec(self, command: Sequence[str], timeout: float = 10.0) -> CompletedProcess[str]:
        """Run a command where the service runs."""

    def logs(self) -> list[str]:
        """Return its latest lines, stdout as printed, stderr marked as such."""


class Launcher(Protocol):
    """Makes services."""

    @property
    def kind(self) -> str:
        """``"process"`` or ``"docker"``."""

    @property
    def names_peers(self) -> bool:
        """Whether services reach each other by name, so before it is known where one listens."""

    def add(self, spec: Spec) -> Service:
        """Return the service, not yet started."""

    def clock(self, seconds: int) -> Mapping[str, str]:
        """Return the environment of a service whose wall clock is so many seconds ahead.

        :raises ClusterError: that cannot be had here.
        """

    def signal_worker(self, runs_as: str, number: int) -> None:
        """Send a signal to a worker, by what its pool manager says that it runs as.

        :raises ClusterError: it does not run any more.
        """

    def worker_url(self, runs_as: str, address: str) -> str:
        """Return where this process reaches a worker.

        :param runs_as: what its pool manager says that it runs as.
        :param address: where its pool manager reaches it.
        """

    def close(self) -> None:
        """End everything that still runs, the latest first, and release what belongs to the run."""
