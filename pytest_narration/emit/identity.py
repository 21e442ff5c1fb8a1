"""Who emits and when: service identity, event ids and timestamps.

Used by :mod:`.narrator` for the provenance of every event.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from typing import Final

import msgspec

__all__ = ["Clock", "Identity", "new_id", "new_instance"]

_RAND_A_LIMIT: Final = 0x1000


class Identity(msgspec.Struct, frozen=True):
    """What an emitter says about itself on every line."""

    service: str
    """The kind of process: ``"worker"``."""
    version: str
    instance: str
    """One running process, unique per start: ``"host-4711-6f1c9a2e"``."""

    @property
    def emitted_by(self) -> str:
        """``name@version``."""
        return f"{self.service}@{self.version}"


def new_instance(service: str) -> str:
    """Return a name for this process that no other start of the service shares."""
    return f"{service}-{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"


def new_id() -> str:
    """Return an unguessable id for a job or a correlation: a UUIDv4."""
    return str(uuid.uuid4())


class Clock:
    """Event ids and timestamps that share one reading of the clock, as parts of a line.

    Both are constant within a millisecond apart from a counter, so they are rebuilt only when the
    millisecond changes. Not thread-safe: the narrator's lock guards it.

    :param now_ns: nanoseconds since the Unix epoch.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._ms = -1
        self._second = -1
        self._second_text = ""
        self._counter = 0
        self._prefix = ""
        self._suffix = ""
        self._rest = ""

    def stamp(self) -> tuple[str, str]:
        """Return an event id, and what follows it in a line: ``","timestamp":"…","seq":``.

        The id is a UUIDv7 (RFC 9562 section 5.7) whose ``rand_a`` counts within the millisecond
        (section 6.2, method 1), so ids of one process ascend unless its clock is set back. The
        timestamp is RFC 3339, UTC, in milliseconds.
        """
        ms = self._now_ns() // 1_000_000
        counter = self._counter + 1
        if ms != self._ms or counter >= _RAND_A_LIMIT:
            self._turn(ms)
            counter = 0
        self._counter = counter
        return f"{self._prefix}{counter:03x}{self._suffix}", self._rest

    def _turn(self, ms: int) -> None:
        self._ms = ms
        tail = os.urandom(8).hex()
        variant = "89ab"[int(tail[0], 16) & 3]
        high = f"{ms & 0xFFFF_FFFF_FFFF:012x}"
        self._prefix = f"{high[:8]}-{high[8:]}-7"
        self._suffix = f"-{variant}{tail[1:4]}-{tail[4:]}"
        second, rest = divmod(ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        self._rest = f'","timestamp":"{self._second_text}.{rest:03d}Z","seq":'
