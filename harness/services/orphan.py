"""A frozen process whose starter ends -> one that runs again, so that it can end itself.

Every service has a pipe from its starter that ends with it (:mod:`.web.parent`), but a process
that is frozen (SIGSTOP) reads no pipe; so on Linux the kernel is asked to wake it with SIGCONT
when its starter ends. SIGKILL instead would leave no time to end what it started itself, and would
also hit when only the starter's *thread* ends, which is what Linux watches (prctl(2),
PR_SET_PDEATHSIG); to a process that runs, SIGCONT is nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys

__all__ = ["wake_when_orphaned"]

_PR_SET_PDEATHSIG = 1
"""``linux/prctl.h``."""


def wake_when_orphaned() -> None:
    """Ask for it; a program does so first, before the imports that take their time."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without it: only a pipe
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)
