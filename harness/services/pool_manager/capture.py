"""A worker's output -> our own stdout, byte for byte, and a bounded log of it.

Each stream is read by a thread of its own: a slow reader of our stdout then holds back the
worker's pipe, where the worker drops and counts, and never the event loop. Only whole lines are
written on, so that lines of several workers and of ours never mix.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from pytest_narration.emit.sink import FdSink

__all__ = ["Capture", "SharedSink", "WorkerLog", "shown"]

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 << 20
_FLUSH_SECONDS = 0.5


class _Event(msgspec.Struct):
    event_id: str = ""


_decode_id = msgspec.json.Decoder(_Event).decode


class SharedSink(FdSink):
    """Our stdout: what this service narrates, and what its workers printed."""

    def __init__(self, fd: int = 1, **options: Any) -> None:
        super().__init__(fd, **options)
        self._turn = threading.Lock()
        self._closing = threading.Event()

    def relay(self, lines: bytes) -> None:
        """Write whole lines of a worker, one worker after the other.

        Waits until they fit into the lower half of the backlog, so that none is dropped while
        our reader is slow; the upper half is for what we narrate ourselves. When nobody reads at
        all they are dropped and counted like lines of our own.
        """
        room = max(0, self._limit // 2 - len(lines))
        with self._turn:
            while not self._closing.is_set():
                began = time.monotonic()
                if (
                    self.flush(_FLUSH_SECONDS, down_to=room)
                    or time.monotonic() - began < _FLUSH_SECONDS / 2
                ):
                    break  # they fit, or flush gave up at once because there is no reader
            self.write(lines, 0)

    def let_go(self) -> None:
        """Stop waiting for a reader: the process ends."""
        self._closing.set()


class WorkerLog:
    """The latest lines of one worker, over all its restarts. Thread-safe.

    :param limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[tuple[str, bytes]] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, stream: str, line: bytes) -> None:
        """Keep a line without its newline; the oldest make room."""
        kept = line[: self._limit]
        with self._lock:
            self._lines.append((stream, kept))
            self._size += len(kept)
            while self._size > self._limit:
                self._size -= len(self._lines.popleft()[1])

    def last_event_id(self) -> str:
        """Return the id of the latest event on stdout, ``""`` when its latest line is none."""
        with self._lock:
            said = next((line for stream, line in reversed(self._lines) if stream == "stdout"), b"")
        try:
            return _decode_id(said).event_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""

    def lines(self, last: int | None = None) -> list[tuple[str, bytes]]:
        """Return ``[("stdout" | "stderr", line), ...]``, the oldest first."""
        with self._lock:
            kept = list(self._lines)
        return kept if last is None else kept[max(0, len(kept) - last) :]


def shown(worker_id: str, stream: str, line: bytes) -> str:
    """Return a line as people read it: ``[INFO] worker-gpu0-r1: Loading model tiny``."""
    level, text = ("ERROR" if stream == "stderr" else "INFO"), line.decode("utf-8", "replace")
    if stream == "stdout":
        try:
            said = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = {}
        if "human" in said:
            level, text = str(said.get("level", "info")).upper(), str(said["human"])
    return f"[{level}] {worker_id}: {text}"


class Capture:
    """Reads one stream of one process to its end.

    :param fd: read end of the stream; closed at its end.
    :param relay: called with whole lines as soon as they are there.
    """

    def __init__(
        self, fd: int, stream: str, log: WorkerLog, relay: Callable[[bytes], None] | None = None
    ) -> None:
        self._fd = fd
        self._stream = stream
        self._log = log
        self._relay = relay
        self._thread = threading.Thread(target=self._read, name=f"capture-{stream}", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the stream; say whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _read(self) -> None:
        pieces: list[bytes] = []
        size = 0
        try:
            while chunk := os.read(self._fd, _CHUNK):
                end = chunk.rfind(b"\n") + 1
                if end:
                    self._pass_on(b"".join((*pieces, chunk[:end])))
                    pieces, size = [], 0
                rest = chunk[end:]
                pieces.append(rest)
                size += len(rest)
                if size > _LONGEST_LINE:
                    # Whoever prints this without a newline would take all our memory.
                    self._pass_on(b"".join(pieces) + b"\n")
                    pieces, size = [], 0
        except OSError:
            pass  # a stream that breaks has ended
        finally:
            os.close(self._fd)
        if size:
            # The last words of a process that died in the middle of a line.
            self._pass_on(b"".join(pieces) + b"\n")

    def _pass_on(self, lines: bytes) -> None:
        if self._relay is not None:
            self._relay(lines)
        for line in lines[:-1].split(b"\n"):
            self._log.add(self._stream, line)
