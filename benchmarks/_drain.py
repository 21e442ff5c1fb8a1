"""A pipe whose other end another process reads as fast as it can, as a log collector does."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["drained_pipe", "wait_drained"]

_READ = "import os\nwhile os.read(0, 1 << 16): pass"


@contextmanager
def drained_pipe() -> Iterator[int]:
    """Yield the descriptor to write to."""
    read, write = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        # A burst must fit, or the reader's speed is measured.
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    reader = subprocess.Popen([sys.executable, "-S", "-c", _READ], stdin=read)
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)
        reader.terminate()
        reader.wait(10)


def wait_drained(fd: int, timeout: float = 10.0) -> None:
    """Return when the reader has taken everything."""
    waiting = array.array("i", [1])
    deadline = time.monotonic() + timeout
    while fcntl.ioctl(fd, termios.FIONREAD, waiting) == 0 and waiting[0]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{waiting[0]} bytes were still not read after {timeout} s")
        time.sleep(0.0002)
