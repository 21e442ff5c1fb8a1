"""Scenarios of pytest-bdd: steps that really run, failures that explain themselves.

Registered by the first scenario of a process, whoever wrote its steps; :func:`load` adds the
library of phrases. What a scenario shows when it fails is a section of the report, and needs
narration to be in use; that asynchronous steps run does not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from .errors import MissingExtra, NarrationError, StepMistake

if TYPE_CHECKING:
    from pytest_bdd.parser import Feature, Scenario, Step

    from .steps.telling import Course


__all__ = ["Scenarios", "load", "scenario_begins", "scenarios_of"]

LIBRARY = "pytest_narration.steps"
_NAME = "narration-scenarios"
_COURSE: pytest.StashKey[Course] = pytest.StashKey()


def load(config: pytest.Config) -> None:
    """Load the library of phrases: ``narration_steps = true``.

    :raises pytest.UsageError: pytest-bdd is not there.
    """
    if find_spec("pytest_bdd") is None:
        raise pytest.UsageError(f"ini option narration_steps: {MissingExtra('pytest-bdd', 'bdd')}")
    config.pluginmanager.import_plugin(LIBRARY)
    hook = getattr(config.hook, "pytest_bdd_before_step", None)
    if hook is None or not hook.has_spec():
        raise pytest.UsageError(
            "ini option narration_steps needs the plugin pytest-bdd, which is installed and not "
            "loaded: run pytest with -p pytest_bdd.plugin, or without -p no:pytest-bdd"
        )


def scenario_begins(request: pytest.FixtureRequest, feature: Feature, scenario: Scenario) -> None:
    """Register what watches scenarios, and tell it of this one."""
    scenarios_of(request.config).begin(request.node, feature, scenario)


def scenarios_of(config: pytest.Config) -> Scenarios:
    """Return what watches the scenarios of this process, registered on first use."""
    watch = config.pluginmanager.get_plugin(_NAME)
    if watch is None:
        watch = Scenarios(config)
        config.pluginmanager.register(watch, _NAME)
        config.add_cleanup(watch.loop.close)
    assert isinstance(watch, Scenarios)
    return watch


class Scenarios:
    """The hooks of one pytest process that runs scenarios."""

    def __init__(self, config: pytest.Config) -> None:
        from .steps.loop import BackgroundLoop

        self._config = config
        self.loop = BackgroundLoop()

    def begin(self, item: pytest.Item, feature: Feature, scenario: Scenario) -> None:
        """Take note that a test's scenario begins."""
        from ._plugin_session import session_of
        from .steps.preparing import check_steps
        from .steps.telling import Course

        item.stash[_COURSE] = course = Course(feature, scenario, self._config.rootpath)
        if not self._config.pluginmanager.has_plugin(LIBRARY):
            return
        # Phrases look at what happens from here on, also before the first of them is reached.
        session = session_of(self._config)
        session.listen()
        if session.nodeid != item.nodeid:
            session.begin(item.nodeid)
        try:
            check_steps(feature, scenario)
        except StepMistake as mistake:
            course.is_phrase = True
            course.failed(mistake)
            raise

    def pytest_bdd_before_step(
        self, request: pytest.FixtureRequest, step_func: Callable[..., Any]
    ) -> None:
        from .steps.loop import is_async
        from .steps.preparing import phrase_of

        request.node.stash[_COURSE].begin(is_phrase=phrase_of(step_func) is not None)
        if is_async(step_func):
            self._make_synchronous(step_func)

    def _make_synchronous(self, step_func: Callable[..., Any]) -> None:
        """Put a function that runs in place of one that would only make a coroutine."""
        from pytest_bdd.steps import step_function_context_registry

        from .steps.loop import synchronous

        contexts = [
            context
            for context in step_function_context_registry.values()
            if context.step_func is step_func
        ]
        if not contexts:
            raise StepMistake(
                f"the step {step_func.__name__} is asynchronous and cannot be run: it is not among "
                "the steps that pytest-bdd knows"
            )
        for context in contexts:
            # pytest-bdd looks the function up again when it calls it.
            context.step_func = synchronous(step_func, self.loop)

    def pytest_bdd_before_step_call(
        self,
        request: pytest.FixtureRequest,
        step: Step,
        step_func: Callable[..., Any],
        step_func_args: dict[str, Any],
    ) -> None:
        """Check and fill what a phrase of the library was given."""
        from .steps.preparing import phrase_of, prepare

        phrase = phrase_of(step_func)
        if phrase is not None:
            prepare(phrase, step, step_func_args)

    def pytest_bdd_after_step(self, request: pytest.FixtureRequest) -> None:
        request.node.stash[_COURSE].passed()

    def pytest_bdd_step_error(
        self, request: pytest.FixtureRequest, exception: BaseException
    ) -> None:
        request.node.stash[_COURSE].failed(exception)

    def pytest_bdd_step_func_lookup_error(
        self,
        request: pytest.FixtureRequest,
        step: Step,
        exception: BaseException,
    ) -> None:
        """Say which phrase was probably meant; the exception is raised after this."""
        from pytest_bdd.steps import step_function_context_registry

        from .steps.suggestions import undefined

        contexts = [*step_function_context_registry.values()]
        course = request.node.stash[_COURSE]
        where = f"{course.path}, line {step.line_number}"
        course.begin(is_phrase=True)
        later = course.scenario.steps[course.position + 1 :]
        exception.args = (undefined(step, later, contexts, where=where),)
        course.failed(exception)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        course = item.stash.get(_COURSE, None)
        if course is not None and report.failed and call.when == "call" and self._is_narrated:
            self._shorten(report, call, course)
            text = course.told()
            if not any(name == "narration" for name, _ in report.sections):
                text += self._lanes()
            report.sections.insert(0, ("scenario", text))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        try:
            return (yield)
        finally:
            if _COURSE in item.stash:
                self.loop.cancel_tasks()

    def _shorten(
        self, report: pytest.TestReport, call: pytest.CallInfo[None], course: Course
    ) -> None:
        """Leave the Python of this library out of a report that explains itself."""
        from pytest_bdd.exceptions import StepDefinitionNotFoundError

        explained = (NarrationError, StepDefinitionNotFoundError, pytest.UsageError)
        if not course.is_phrase or self._config.getoption("fulltrace") or call.excinfo is None:
            return
        if isinstance(call.excinfo.value, explained) and call.excinfo.value is course.failure:
            report.longrepr = call.excinfo.getrepr(style="value", chain=False)

    @property
    def _is_narrated(self) -> bool:
        from ._plugin_session import is_in_use

        return is_in_use(self._config) or self._config.pluginmanager.has_plugin(LIBRARY)

    def _lanes(self) -> str:
        from ._plugin_session import is_in_use, session_of
        from .explain import timeline

        if not is_in_use(self._config):
            return ""
        evidence = session_of(self._config).evidence()
        return f"\n\n{timeline(evidence)}" if evidence.records() else ""
