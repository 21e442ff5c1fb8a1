"""Waiters without a loop of their own: one way to write a wait, for threads and for tasks.

A wait is a generator that yields how many seconds it is willing to sleep; :func:`run` drives it
with a thread's event, :func:`run_async` with the running asyncio loop. Any number of threads and
tasks may wait at the same time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Steps", "Waiters", "run", "run_async"]

_T = TypeVar("_T")

Steps = Generator[float, None, _T]
"""Yields seconds to sleep at most; ends with the wait's value."""

Wake = Callable[[], None]


class Waiters:
    """The wake-up calls of everyone who waits; ringing costs nothing when nobody does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: tuple[Wake, ...] = ()

    def ring(self) -> None:
        """Wake everyone: something arrived. Called from any thread."""
        for wake in self._wakes:
            wake()

    @contextmanager
    def listening(self, wake: Wake) -> Iterator[None]:
        """Have ``wake`` called at every arrival while the block runs."""
        with self._lock:
            self._wakes = (*self._wakes, wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes = tuple(w for w in self._wakes if w is not wake)


def run(steps: Steps[_T], waiters: Waiters) -> _T:
    """Drive a wait in this thread."""
    __tracebackhide__ = True
    arrived = threading.Event()

    def wake() -> None:
        if not arrived.is_set():
            arrived.set()

    with waiters.listening(wake):
        while True:
            # Cleared before reading: what arrives while we read rings for the next round.
            arrived.clear()
            try:
                seconds = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the generator's own type
            arrived.wait(seconds)


async def run_async(steps: Steps[_T], waiters: Waiters) -> _T:
    """Drive a wait in the running loop, which other tasks keep using meanwhile."""
    __tracebackhide__ = True
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    rung = False

    def wake() -> None:
        nonlocal rung
        if not rung:
            rung = True
            loop.call_soon_threadsafe(arrived.set)

    with waiters.listening(wake):
        while True:
            arrived.clear()
            rung = False
            try:
                seconds = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the generator's own type
            try:
                async with asyncio.timeout(seconds):
                    await arrived.wait()
            except TimeoutError:
                continue
