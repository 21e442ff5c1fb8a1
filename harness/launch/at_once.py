"""Things that wait for something else than us are done at the same time, a thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["at_once"]


def at_once(actions: Iterable[Callable[[], object]]) -> None:
    """Call all of them and wait until the last one is done.

    :raises Exception: what the first of them raised that did; the others were done all the same.
    """
    wanted = list(actions)
    if len(wanted) == 1:
        wanted[0]()
    elif wanted:
        with ThreadPoolExecutor(len(wanted), thread_name_prefix="at-once") as pool:
            for begun in [pool.submit(action) for action in wanted]:
                begun.result()
