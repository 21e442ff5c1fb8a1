"""Wall clocks that are wrong: libfaketime between a service and the system's clock.

Only what is read as a date is wrong; monotonic clocks, and so every time-out, are right, as on a
machine whose time was never set. https://github.com/wolfcw/libfaketime
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pytest_narration.errors import ClusterError

__all__ = ["FAKETIME", "HELP", "forget", "library", "wrong_clock"]

FAKETIME = "libfaketimeMT.so.1"
HELP = "a wrong clock needs libfaketime (apt-get install libfaketime)"
_SHARED = ("faketime_shm_{}", "sem.faketime_sem_{}")


def library() -> str:
    """Return the path of this machine's libfaketime.

    :raises ClusterError: it has none.
    """
    for path in Path("/usr/lib").glob(f"*/faketime/{FAKETIME}"):
        return str(path)
    raise ClusterError(f"{HELP}, which this machine lacks")


def wrong_clock(seconds: int, path: str) -> dict[str, str]:
    """Return the environment of a service whose clock is ``seconds`` ahead, or behind if negative.

    :param path: of the library, where the service runs.
    """
    return {
        "LD_PRELOAD": path,
        "FAKETIME": f"{seconds:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Its guess that timed waits need mending makes them end at once: threads that wait for
        # Python's lock then spin, and importing torch takes minutes.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def forget(pid: int) -> None:
    """Remove what the library leaves in shared memory when its process is killed."""
    for name in _SHARED:
        with contextlib.suppress(OSError):
            Path("/dev/shm", name.format(pid)).unlink()  # noqa: S108 - its own place
