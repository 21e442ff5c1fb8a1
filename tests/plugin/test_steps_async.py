"""``async def`` steps run for real: pytest-bdd alone lets them pass without running."""

from __future__ import annotations

import pytest

from .conftest import Run

BDD = ("-p", "pytest_bdd.plugin")

FEATURE = """\
Feature: Asynchronous steps

  Scenario: They run
    Given a value from elsewhere
    When a task begins
    And a step blocks until the task is done
    Then the value and the task's result are there

  Scenario: They fail
    Given a value from elsewhere
    Then the value is wrong

  Scenario: What follows a yield runs at the end
    Given a connection
    Then it is open

  Scenario: It was closed
    Then it is closed

  Scenario: Decorators do not hide them
    Given a decorated step
    Then the decorated step ran

  Scenario: A task outlives the scenario
    When a task begins that never ends

  Scenario: No task is left
    Then no task is left
"""

STEPS = """\
import asyncio
import functools
import threading

from pytest_bdd import given, scenarios, then, when

scenarios(".")
log = []


@given("a value from elsewhere", target_fixture="value")
async def _value():
    await asyncio.sleep(0)
    return 42


@when("a task begins", target_fixture="task")
async def _task():
    done = threading.Event()

    async def work():
        await asyncio.sleep(0.01)
        done.set()
        return "result"

    return asyncio.create_task(work()), done


@when("a step blocks until the task is done")
def _blocks(task):
    assert task[1].wait(10), "the loop stood still while a step blocked"


@then("the value and the task's result are there")
async def _there(value, task):
    assert (value, await task[0]) == (42, "result")


@then("the value is wrong")
async def _wrong(value):
    await asyncio.sleep(0)
    assert value == 41


@given("a connection", target_fixture="connection")
async def _connection():
    await asyncio.sleep(0)
    log.append("open")
    yield log
    await asyncio.sleep(0)
    log.append("closed")


@then("it is open")
def _open(connection):
    assert connection == ["open"]


@then("it is closed")
def _closed():
    assert log == ["open", "closed"]


def twice(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call


@given("a decorated step")
@twice
async def _decorated():
    await asyncio.sleep(0)
    log.append("decorated")


@then("the decorated step ran")
def _ran():
    assert log[-1] == "decorated"


@when("a task begins that never ends")
async def _never_ends():
    log.append(asyncio.create_task(asyncio.Event().wait()))


@then("no task is left")
async def _no_task():
    assert log[-1].cancelled()
    assert len(asyncio.all_tasks()) == 1
"""


@pytest.fixture
def asynchronous(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that has nothing to do with narration."""
    (pytester.path / "a.feature").write_text(FEATURE, "utf-8")
    pytester.makepyfile(test_it=STEPS)
    return pytester


@pytest.mark.parametrize(
    "extra",
    [
        (),
        ("-n2", "--dist=loadfile"),
        ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"),
    ],
    ids=["alone", "xdist", "pytest-asyncio"],
)
def test_asynchronous_steps_run_on_one_loop_that_goes_on_while_a_step_blocks(
    asynchronous: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    result = run(*BDD, "-W", "error", *extra)

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*assert 42 == 41"])


def test_pytest_bdd_alone_lets_them_pass_without_running(
    asynchronous: pytest.Pytester, run: Run
) -> None:
    """The fact that the package relies on: when it changes, this says so."""
    result = run(*BDD, "-p", "no:pytest_narration.plugin", "-k", "they_fail")

    result.assert_outcomes(passed=1, warnings=1)


def test_what_an_asynchronous_step_narrates_belongs_to_its_test(
    project: pytest.Pytester, run: Run
) -> None:
    (project.path / "a.feature").write_text(
        "Feature: A\n  Scenario: B\n    When a look\n    Then it was seen\n", "utf-8"
    )
    project.makepyfile(
        test_it="""
        import asyncio
        import shop
        from pytest_bdd import scenarios, then, when
        from pytest_narration.emit import narration_context

        scenarios(".")

        @when("a look")
        async def _look(narration_capture):
            with narration_context(correlation_id="c-9"):
                await asyncio.gather(asyncio.create_task(looking()), looking())

        async def looking():
            await asyncio.sleep(0)
            shop.look()

        @then("it was seen")
        def _seen(narration_capture):
            assert len(narration_capture.events(action="look", correlation_id="c-9")) == 2
        """
    )

    run(*BDD).assert_outcomes(passed=1)
