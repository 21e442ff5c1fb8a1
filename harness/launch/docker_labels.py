"""Who made a container, network or volume: labels that a later run can judge.

A run is known by a random id; its owner by machine, process id and the process's start, because
process ids are used again.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RUN", "Run"]

RUN = "narration.run"
_PID = "narration.owner.pid"
_STARTED = "narration.owner.started"
_MACHINE = "narration.owner.machine"


@dataclass(frozen=True, slots=True)
class Run:
    """One cluster's owner."""

    id: str
    pid: int
    started: str
    """What the system says of the process's start; empty where it says nothing."""
    machine: str

    @classmethod
    def of_this_process(cls) -> Run:
        """Return a run of its own, owned by this process."""
        pid = os.getpid()
        return cls(secrets.token_hex(4), pid, _start_of(pid) or "", _machine())

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Run | None:
        """Return the run that the labels name, ``None`` when they are not all ours."""
        try:
            return cls(labels[RUN], int(labels[_PID]), labels[_STARTED], labels[_MACHINE])
        except (KeyError, ValueError):
            return None

    @property
    def labels(self) -> dict[str, str]:
        """What everything of this run is labelled with."""
        return {
            RUN: self.id,
            _PID: str(self.pid),
            _STARTED: self.started,
            _MACHINE: self.machine,
        }

    @property
    def is_dead(self) -> bool:
        """Whether its owner has surely ended: on another machine that cannot be known."""
        if self.machine != _machine():
            return False
        return not _exists(self.pid) or (
            bool(self.started) and _start_of(self.pid) not in (None, self.started)
        )


def _machine() -> str:
    """Return what names this machine since its last boot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    try:
        # Containers share a boot but not their process ids.
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path, "pid:[4026531836]"
    except OSError:
        namespace = ""
    return f"{platform.node()} {boot} {namespace}".strip()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state_of(pid) != "Z"


def _stat_of(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` after the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _state_of(pid: int) -> str | None:
    fields = _stat_of(pid)
    return fields[0] if fields else None


def _start_of(pid: int) -> str | None:
    fields = _stat_of(pid)
    return fields[19] if len(fields) > 19 else None
