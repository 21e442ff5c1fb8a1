"""Who emits and when: service identity, event ids and timestamps.

Used by :mod:`.narrator` for the provenance of every event.
"""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

__all__ = ["Clock", "Identity", "is_event_id", "new_id", "new_instance"]

_NUMBERS: Final = tuple(f"{number:03x}" for number in range(0x1000))
"""What ``rand_a`` of an id counts with, within one millisecond."""
_event_id = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


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


def is_event_id(value: object) -> bool:
    """Return whether a value may be written into an event's ``cause``: any UUID."""
    return type(value) is str and _event_id(value) is not None


class _Turn:
    """What ids and times of one millisecond share."""

    __slots__ = ("ms", "numbers", "prefix", "rest", "suffix")

    def __init__(self, ms: int, prefix: str, suffix: str, rest: str) -> None:
        self.ms = ms
        self.prefix = prefix
        self.suffix = suffix
        self.rest = rest
        self.numbers: Iterator[str] = iter(_NUMBERS)


class Clock:
    """Event ids and timestamps that share one reading of the clock, as parts of a line.

    Both are constant within a millisecond apart from a counter, so they are rebuilt only when the
    millisecond changes. Safe to enter again at any point, as a signal handler does.

    :param now_ns: nanoseconds since the Unix epoch.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._second = (-1, "")
        self._turn = _Turn(-1, "", "", "")

    def stamp(self) -> tuple[str, str]:
        """Return an event id, and what follows it in a line: ``","timestamp":"…","seq":``.

        The id is a UUIDv7 (RFC 9562 section 5.7) whose ``rand_a`` counts within the millisecond
        (section 6.2, method 1), so ids of one process ascend unless its clock is set back. The
        timestamp is RFC 3339, UTC, in milliseconds.
        """
        ms = self._now_ns() // 1_000_000
        turn = self._turn
        if ms != turn.ms:
            turn = self._next(ms)
        number = next(turn.numbers, "")
        if not number:
            turn = self._next(ms)
            number = next(turn.numbers)
        return f"{turn.prefix}{number}{turn.suffix}", turn.rest

    def _next(self, ms: int) -> _Turn:
        tail = os.urandom(8).hex()
        variant = "89ab"[int(tail[0], 16) & 3]
        high = f"{ms & 0xFFFF_FFFF_FFFF:012x}"
        second, rest = divmod(ms, 1000)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        self._turn = turn = _Turn(
            ms,
            f"{high[:8]}-{high[8:]}-7",
            f"-{variant}{tail[1:4]}-{tail[4:]}",
            f'","timestamp":"{text}.{rest:03d}Z","seq":',
        )
        return turn
