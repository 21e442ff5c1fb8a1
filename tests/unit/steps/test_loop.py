"""The loop of asynchronous steps: what runs on it, and what happens when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from pytest_narration.errors import StepMistake
from pytest_narration.steps.loop import BackgroundLoop, is_async, synchronous

word = ContextVar("word", default="none")


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    loop.close()


def test_a_coroutine_runs_in_another_thread_with_the_callers_context(
    loop: BackgroundLoop,
) -> None:
    async def work() -> tuple[str, str]:
        await asyncio.sleep(0)
        return word.get(), threading.current_thread().name

    word.set("mine")

    assert loop.run(work()) == ("mine", "narration steps")


def test_an_exception_is_the_callers(loop: BackgroundLoop) -> None:
    async def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        loop.run(fail())


def test_a_coroutine_that_cancels_itself_is_no_success(loop: BackgroundLoop) -> None:
    async def cancel() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        loop.run(cancel())


def test_tasks_are_cancelled_by_name_and_the_loop_goes_on(loop: BackgroundLoop) -> None:
    async def begin() -> None:
        asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="watcher")
        asyncio.current_task().kept = asyncio.all_tasks()  # type: ignore[union-attr]  # alive

    loop.run(begin())

    assert loop.cancel_tasks() == ["watcher"]
    assert loop.cancel_tasks() == []


def test_a_loop_that_ran_nothing_has_no_thread_and_a_closed_one_begins_again() -> None:
    loop = BackgroundLoop()
    before = threading.active_count()
    loop.close()
    assert threading.active_count() == before

    async def value() -> int:
        return 1

    assert loop.run(value()) == 1
    loop.close()
    assert threading.active_count() == before
    assert loop.run(value()) == 1
    loop.close()


async def _coroutine(number: int) -> int:
    return number


async def _generator() -> Any:
    yield 1
    yield 2


def test_asynchronous_functions_are_told_from_others() -> None:
    assert is_async(_coroutine)
    assert is_async(_generator)
    assert not is_async(lambda: None)
    # What was made synchronous is not made so once more by the next scenario.
    assert not is_async(synchronous(_coroutine, BackgroundLoop()))
    assert not is_async(synchronous(_generator, BackgroundLoop()))


def test_the_signature_stays_for_pytest_bdd(loop: BackgroundLoop) -> None:
    import inspect

    wrapped = synchronous(_coroutine, loop)

    assert list(inspect.signature(wrapped).parameters) == ["number"]
    assert wrapped(number=3) == 3


def test_a_step_that_yields_twice_is_refused(loop: BackgroundLoop) -> None:
    steps = synchronous(_generator, loop)()
    assert next(steps) == 1

    with pytest.raises(RuntimeError, match="_generator: a step yields once"):
        next(steps)


def test_an_asynchronous_step_that_cannot_be_replaced_fails(pytestconfig: pytest.Config) -> None:
    """Never silently skipped, also when pytest-bdd keeps its steps elsewhere one day."""
    from pytest_narration._plugin_steps import Scenarios

    with pytest.raises(StepMistake, match="_coroutine is asynchronous and cannot be run"):
        Scenarios(pytestconfig)._make_synchronous(_coroutine)
