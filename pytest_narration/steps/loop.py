"""One event loop in a thread of ours, on which ``async def`` steps run.

Steps stay synchronous for pytest-bdd; while one waits, or runs no coroutine at all, the tasks that
earlier ones started go on. pytest-bdd alone would let an asynchronous step pass without running.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

__all__ = ["BackgroundLoop", "is_async", "synchronous"]

_T = TypeVar("_T")
_JOIN_SECONDS = 5.0


class BackgroundLoop:
    """A loop that starts with its first coroutine and ends with :meth:`close`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end, in a copy of the caller's context, and return its value."""
        __tracebackhide__ = True
        future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        try:
            return future.result()
        except CancelledError as error:
            raise asyncio.CancelledError("the step's coroutine was cancelled") from error
        except BaseException:
            # Ctrl-C reaches the main thread only: what it waits for must not go on.
            future.cancel()
            raise

    def cancel_tasks(self) -> list[str]:
        """Cancel every task that still runs, wait for their ends and return their names."""
        if self._loop is None:
            return []

        async def cancel() -> list[str]:
            mine = asyncio.current_task()
            tasks = [task for task in asyncio.all_tasks() if task is not mine]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_JOIN_SECONDS) if tasks else None
            return [task.get_name() for task in tasks]

        return self.run(cancel())

    def close(self) -> None:
        """End the loop and its thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self.cancel_tasks()
        self.run(loop.shutdown_asyncgens())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_JOIN_SECONDS)
        if not thread.is_alive():
            loop.close()
        self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="narration steps", daemon=True
            )
            self._thread.start()
        return self._loop


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a step's function does its work only when it is awaited."""
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def synchronous(function: Callable[..., Any], loop: BackgroundLoop) -> Callable[..., Any]:
    """Return the function as one that pytest-bdd can call; its signature stays.

    An asynchronous generator becomes a generator: what follows its ``yield`` runs when the
    scenario ends.
    """
    if inspect.isasyncgenfunction(inspect.unwrap(function)):

        @functools.wraps(function)
        def generate(**arguments: Any) -> Generator[Any, None, None]:
            __tracebackhide__ = True
            generator = function(**arguments)
            yield loop.run(anext(generator))
            try:
                loop.run(anext(generator))
            except StopAsyncIteration:
                return
            raise RuntimeError(f"{function.__name__}: a step yields once")

        return _signed(generate, function)

    @functools.wraps(function)
    def call(**arguments: Any) -> Any:
        __tracebackhide__ = True
        found = function(**arguments)
        return loop.run(found) if inspect.iscoroutine(found) else found

    return _signed(call, function)


def _signed(made: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``made`` the signature of the function without leading back to it.

    pytest-bdd reads the signature; :func:`is_async` would follow the lead.
    """
    made.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # PEP 362
    del made.__wrapped__  # type: ignore[attr-defined]  # set by functools.wraps
    return made
