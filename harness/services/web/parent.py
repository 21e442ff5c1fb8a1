"""The end of the process that started this one -> the end of this one.

A starter keeps the write end of a pipe and passes the read end's number as ``--parent-fd``. When
the starter dies, also by ``kill -9``, the kernel closes the write end, and the pipe ends here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["watch_parent"]


def watch_parent(
    fd: int, on_gone: Callable[[], None], *, hard_after: float = 10.0, exit_status: int = 1
) -> threading.Thread:
    """Call ``on_gone`` from a thread when the pipe ends; then leave, however busy the process is.

    :param hard_after: seconds that a graceful end may take before the process exits at once.
    """

    def watch() -> None:
        try:
            while os.read(fd, 64):
                pass
        except OSError:
            pass  # a pipe that cannot be read cannot promise that the starter lives
        on_gone()
        threading.Event().wait(hard_after)
        os._exit(exit_status)

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread
