"""Encoded lines -> a file descriptor, without ever blocking or failing the service that narrates.

The narrator writes every line through a :class:`Sink`. :class:`FdSink` is the one for stdout: the
usual line costs one ``os.write``. What the descriptor does not take waits in a bounded backlog
that a thread of its own empties; when that is full too, lines are dropped and counted, and the
count is handed over (:class:`Drops`) once writing works again.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

__all__ = ["Drops", "FdSink", "Sink"]

_PIPE_BUF: Final = select.PIPE_BUF
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 2.0
# How many lines are written while others wait for the lock.
_LINES_AT_ONCE: Final = 256
_FREE: Final = 0
_WRITING: Final = 1  # seen only by a signal handler that narrates: its line has to wait
_WAITING: Final = 2
_WHY: Final[dict[int, str]] = {
    errno.EAGAIN: "SLOW_READER",
    errno.EPIPE: "NO_READER",
    errno.ECONNRESET: "NO_READER",
    errno.ENXIO: "NO_READER",
    errno.ENOSPC: "DISK_FULL",
    errno.EDQUOT: "DISK_FULL",
    errno.EBADF: "CLOSED",
}


@dataclass(frozen=True, slots=True)
class Drops:
    """Lines that are lost: consecutive ones, from the first to the last."""

    count: int
    """How many lines."""
    first_seq: int
    """The ``seq`` of the first of them; of our own ones, 0 when there is none."""
    last_seq: int
    """The ``seq`` of the last of them, as above."""
    why: str
    """``SLOW_READER``, ``NO_READER``, ``DISK_FULL``, ``CLOSED``, or the name of an errno."""


class Sink(Protocol):
    """Where a narrator's lines go. No method blocks longer than it is told to, or raises."""

    def write(self, line: bytes, seq: int) -> None:
        """Take one line with its newline; ``seq`` is its position in the instance's output.

        Whole lines of another process may be passed on together, with 0 as ``seq``.
        """

    def flush(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for waiting lines; say whether none is left."""

    def close(self) -> None:
        """Release what the sink holds; later lines are lost."""


class FdSink:
    """Writes lines to a file descriptor that others may share, read slowly, or close.

    Each line arrives whole, once and in order, or is counted as dropped. A line that was written
    in part is completed before anything else.

    :param fd: the descriptor; its flags stay as they are, for other processes may share them.
    :param backlog_bytes: how much may wait. When it is full, what follows is dropped until half
        of it has been written, so that a loss is one run of lines.
    :param on_recovered: called with the :class:`Drops` when lines are taken again; from the
        sink's thread or from within :meth:`write` or :meth:`flush`, never under the sink's lock.

    A pipe or a terminal is opened a second time, non-blocking, through ``/proc``: so the sink
    stays with it even when another file later takes the descriptor's place. Where that is
    impossible (no ``/proc``, no permission, no reader yet), the descriptor is polled before each
    write of at most ``PIPE_BUF`` bytes; only another process that fills the pipe in between can
    then delay a write. A regular file is written directly.
    """

    def __init__(
        self,
        fd: int = 1,
        *,
        backlog_bytes: int = 4 << 20,
        on_recovered: Callable[[Drops], None] | None = None,
    ) -> None:
        self._limit = backlog_bytes
        self.on_recovered = on_recovered
        """Who is told of drops; the narrator takes the place when it is free."""
        self._private: int | None = None
        self._socket: socket.socket | None = None
        self._fd = fd
        self._put = self._opened(fd)
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        # Reentrant: a signal handler may narrate while its thread is in here.
        self.lock = threading.RLock()
        self._wake = threading.Event()
        self._state = _WAITING if self._closed else _FREE
        self._running = False
        self._backlog: deque[tuple[bytes, int]] = deque()
        self._size = 0
        self._error = 0
        self._failures = 0
        self._lost: Drops | None = None

    def after_fork(self) -> None:
        """Make the sink usable in the child of a fork; what waits is the parent's to write."""
        self._reset()

    @property
    def waiting(self) -> int:
        """How many lines wait, one that is written in part included."""
        return len(self._backlog)

    def write(self, line: bytes, seq: int) -> None:
        """Write the line or let it wait or drop it; see the class."""
        with self.lock:
            drops = self.take(line, seq)
        self.tell(drops)

    def take(self, line: bytes, seq: int) -> Drops | None:
        """Do as :meth:`write`, for who holds :attr:`lock` and then hands the drops to `tell`."""
        drops = None
        if self._state:
            self._keep(line, seq)
        else:
            self._state = _WRITING
            try:
                written = self._put(line)
            except OSError as error:
                self._failed(error)
                written = 0
            if written == len(line):
                if not self._backlog:
                    self._state = _FREE
                    return None
            else:
                # To the left: a signal handler's line goes behind the rest of this one.
                self._backlog.appendleft((line[written:], seq))
                self._size += len(line) - written
                if written:  # cut short: the rest tells why
                    drops = self._drain()
            self._state = _WAITING
        return self._see_to_backlog() or drops

    def tell(self, drops: Drops | None) -> None:
        """Let :attr:`on_recovered` know of drops, if there are any; not under the lock."""
        if drops is not None and self.on_recovered is not None:
            # The listener is foreign code, and nobody above could handle what it raises.
            with suppress(Exception):
                self.on_recovered(drops)

    def flush(self, timeout: float, *, down_to: int = 0) -> bool:
        """Write what waits; give up after ``timeout`` seconds or when nobody reads.

        :param down_to: how many bytes may still wait in the end.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self.lock:
                if self._state == _FREE or self._state == _WRITING or self._closed:
                    return self._size <= down_to
                drops = self._drain()
                is_done = self._size <= down_to
                error = self._error
            self.tell(drops)
            if is_done and drops is None:
                return True
            left = deadline - time.monotonic()
            if left <= 0 or _WHY.get(error) in ("NO_READER", "CLOSED"):
                return is_done
            if not is_done:
                self._pause(error, min(left, _FIRST_PAUSE_SECONDS))

    def close(self) -> None:
        """Close what the sink opened itself; the given descriptor stays open."""
        with self.lock:
            self._closed = True
            self._state = _WAITING
            self._put = _refuse
            self._wake.set()
            if self._socket is not None:
                self._socket.close()
            if self._private is not None:
                with suppress(OSError):
                    os.close(self._private)
                self._private = None

    def _opened(self, fd: int) -> Callable[[bytes], int]:
        """Return what writes bytes without blocking and says how many were taken."""
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISSOCK(mode) and socket.getdefaulttimeout() is None:
                connection = self._socket = socket.socket(fileno=os.dup(fd))
                how = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
                return lambda line: connection.send(line, how)
            if stat.S_ISREG(mode) or not os.get_blocking(fd):
                return partial(os.write, fd)
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            self._private = self._fd = os.open(f"/proc/self/fd/{fd}", flags)
            return partial(os.write, self._private)
        except OSError:
            return self._put_polled

    def _put_polled(self, line: bytes) -> int:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        written = 0
        while written < len(line):
            if not poll.poll(0):
                if written:
                    return written
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            try:
                written += os.write(self._fd, line[written : written + _PIPE_BUF])
            except OSError:
                if written:
                    return written
                raise
        return written

    # What follows runs under the lock, apart from _run and _pause.

    def _failed(self, error: OSError) -> None:
        self._error = error.errno or errno.EIO
        self._failures += 1

    def _keep(self, line: bytes, seq: int) -> None:
        if self._lost is None and not self._closed and self._size + len(line) <= self._limit:
            self._backlog.append((line, seq))
            self._size += len(line)
        elif self._lost is None:
            error = errno.EBADF if self._closed else self._error or errno.EAGAIN
            why = _WHY.get(error) or errno.errorcode.get(error, "UNKNOWN")
            self._lost = Drops(line.count(b"\n"), seq, seq, why)
        else:
            count = self._lost.count + line.count(b"\n")
            first, last = self._lost.first_seq or seq, seq or self._lost.last_seq
            self._lost = replace(self._lost, count=count, first_seq=first, last_seq=last)

    def _see_to_backlog(self) -> Drops | None:
        """Have the backlog emptied: by a thread, or here and now where there can be none."""
        if self._running or self._closed:
            return None
        if not self._backlog and self._lost is None:
            self._state = _FREE
            return None
        self._running = True
        try:
            # Not threading.Thread: its locks are not reentrant, a signal handler could hang.
            _thread.start_new_thread(self._run, ())
        except RuntimeError:  # no thread can be started, as while the interpreter shuts down
            self._running = False
            if self._state != _WRITING:
                return self._drain()
        return None

    def _drain(self) -> Drops | None:
        """Write what waits until it blocks or fails, or others should get their turn.

        Returns what was lost before, once lines are taken again.
        """
        self._state = _WRITING
        try:
            for _ in range(_LINES_AT_ONCE):
                if not self._backlog:
                    break
                line, seq = self._backlog[0]
                written = self._put(line)
                self._error = self._failures = 0
                self._size -= written
                if written == len(line):
                    self._backlog.popleft()
                else:
                    self._backlog[0] = (line[written:], seq)
        except OSError as error:
            self._failed(error)
        finally:
            self._state = _WAITING if self._backlog or self._closed else _FREE
        if self._size > self._limit // 2 or self._error not in (0, errno.EAGAIN) or self._closed:
            return None
        drops, self._lost = self._lost, None
        return drops

    def _run(self) -> None:
        """Empty the backlog; the thread lasts as long as there is one."""
        while True:
            with self.lock:
                drops = self._drain()
                error, failures = self._error, self._failures
                if self._closed or not self._backlog:
                    self._running = False
                    break
            self.tell(drops)
            if error:
                pause = _FIRST_PAUSE_SECONDS * 2 ** min(failures, 10)
                self._pause(error, min(pause, _LONGEST_PAUSE_SECONDS))
        self.tell(drops)

    def _pause(self, error: int, seconds: float) -> None:
        """Wait until the descriptor takes bytes again, or so long where it cannot tell."""
        if error == errno.EAGAIN:
            with suppress(OSError):
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll(seconds * 1000)
                return
        self._wake.wait(seconds)


def _refuse(line: bytes) -> int:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
