"""One step of the work, told by its beginning, its end and how long it took.

::

    with layer("diarize", model_ref="tiny") as step:
        step.add(speakers=count(audio))

    @layer("enrich")
    async def enrich(text): ...
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from .context import narration_context
from .job_runs import error_kind_of
from .process import narrate

__all__ = ["COMPLETED", "FAILED", "STARTED", "layer"]

STARTED: Final = ("layer_started", "Started {layer}")
"""Action and template, for catalogs as well."""
COMPLETED: Final = ("layer_completed", "Completed {layer} in {latency_ms} ms ({outcome})")
FAILED: Final = ("layer_failed", "{layer} failed after {latency_ms} ms: {error_kind}")

_Function = TypeVar("_Function", bound=Callable[..., Any])


class layer:  # noqa: N801  a context manager reads as a noun phrase
    """Narrate ``layer_started``, then ``layer_completed`` or ``layer_failed`` with latency.

    It serves ``with``, ``async with``, and as a decorator of functions and coroutine functions;
    each call is a step of its own. What is narrated inside has the field ``layer``.

    :param name: the step, in one word: ``"diarize"``.
    :param actor: who does it; the bound actor by default.
    :param level: of the first two events; a failure is at error.
    :param fields: further fields of all its events.
    """

    def __init__(
        self, name: str, /, *, actor: str | None = None, level: str = "info", **fields: Any
    ) -> None:
        self.name = name
        self.outcome = "ok"
        """How it ended, in one word, when it did not fail: ``"cached"``, ``"skipped"``."""
        self._actor = actor
        self._level = level
        self._fields = fields
        self._binding: narration_context | None = None
        self._began = 0.0

    def add(self, **fields: Any) -> None:
        """Add fields to the event that ends the step."""
        self._fields = {**self._fields, **fields}

    def __enter__(self) -> layer:
        """Begin the step.

        :raises RuntimeError: this very object is running; make one for each step.
        """
        if self._binding is not None:
            raise RuntimeError(f"layer {self.name!r} is running already; make one for each step")
        binding = narration_context(layer=self.name, actor=self._actor)
        binding.__enter__()
        try:
            narrate(*STARTED, **self._said(level=self._level))
        except BaseException:  # strict validation: the step has not begun
            binding.__exit__(None, None, None)
            raise
        self._binding = binding
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the step."""
        binding, self._binding = self._binding, None
        assert binding is not None, "a layer is left without having been entered"
        latency_ms = round((time.perf_counter() - self._began) * 1000, 3)
        try:
            if error is None:
                narrate(
                    *COMPLETED,
                    **self._said(level=self._level, latency_ms=latency_ms, outcome=self.outcome),
                )
            else:
                narrate(
                    *FAILED,
                    **self._said(
                        level="error",
                        latency_ms=latency_ms,
                        outcome="failed",
                        error_kind=error_kind_of(error),
                    ),
                )
        finally:
            binding.__exit__(kind, error, traceback)

    async def __aenter__(self) -> layer:
        """Begin the step."""
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the step."""
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _Function) -> _Function:
        """Make each call of a function a step.

        :raises TypeError: the function is a generator, whose call returns before its work begins.
        """
        import inspect  # late: its import is slow, and decorating is rare

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"layer({self.name!r}) cannot decorate the generator {function.__qualname__}: its "
                f"call returns before its work begins; write `with layer({self.name!r}):` inside"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self._anew():
                    return await function(*args, **kwargs)

            return cast("_Function", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._anew():
                return function(*args, **kwargs)

        return cast("_Function", run)

    def _anew(self) -> layer:
        return layer(self.name, actor=self._actor, level=self._level, **self._fields)

    def _said(self, **own: Any) -> dict[str, Any]:
        return {**self._fields, "layer": self.name, **own}
