"""What each scenario of a process comes to: its steps, its failures, its story -> an attempt.

A scenario's first report says that it began, and its last one what it came to, so that the
controller knows of scenarios whose worker crashed. Registered by ``--narration-cucumber``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ._plugin_receiver import attach
from ._plugin_session import session_of
from .cucumber import Attempt, Definition, Hook, Status, Step

if TYPE_CHECKING:
    from pytest_bdd.parser import Step as GherkinStep

__all__ = ["Follower", "reason"]

_ATTEMPT: pytest.StashKey[Attempt] = pytest.StashKey()


class Follower:
    """Takes note of what the scenarios of one process come to."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._session = session_of(config)
        self._session.listen()
        self._worker: str = getattr(config, "workerinput", {}).get("workerid", "")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        attempt = self._begun(item)
        if attempt is not None:
            item.stash[_ATTEMPT] = attempt

    def _begun(self, item: pytest.Item) -> Attempt | None:
        from pytest_bdd.scenario import scenario_wrapper_template_registry

        function: Any = getattr(item, "obj", None)
        try:
            template = scenario_wrapper_template_registry.get(function)
        except TypeError:
            return None  # what takes no weak references is no scenario's function
        if template is None:
            return None
        indices = getattr(getattr(item, "callspec", None), "indices", {})
        path = Path(template.feature.filename).resolve()
        return Attempt(
            nodeid=item.nodeid,
            uri=_relative(path, self._root),
            path=str(path),
            line=template.line_number,
            row=indices.get("_pytest_bdd_example"),
            started=time.time(),
            worker=self._worker,
            steps=[Step() for _ in template.steps],
        )

    def pytest_bdd_before_step(
        self,
        request: pytest.FixtureRequest,
        scenario: Any,
        step: GherkinStep,
        step_func: Callable[..., Any],
    ) -> None:
        told = self._told(request, scenario, step)
        told.started = time.time()
        told.definition = self._definition(step, step_func)

    def pytest_bdd_after_step(
        self, request: pytest.FixtureRequest, scenario: Any, step: GherkinStep
    ) -> None:
        told = self._told(request, scenario, step)
        told.status = "passed"
        told.seconds = time.time() - told.started

    def pytest_bdd_step_error(
        self,
        request: pytest.FixtureRequest,
        scenario: Any,
        step: GherkinStep,
    ) -> None:
        told = self._told(request, scenario, step)
        told.status = "failed"
        told.seconds = time.time() - told.started

    def pytest_bdd_step_func_lookup_error(
        self, request: pytest.FixtureRequest, scenario: Any, step: GherkinStep
    ) -> None:
        from .steps.suggestions import stub

        told = self._told(request, scenario, step)
        told.status = "undefined"
        told.started = time.time()
        told.snippet = stub(step)

    def _told(self, request: pytest.FixtureRequest, scenario: Any, step: GherkinStep) -> Step:
        attempt: Attempt = request.node.stash[_ATTEMPT]
        return attempt.steps[next(n for n, each in enumerate(scenario.steps) if each is step)]

    def _definition(self, step: GherkinStep, function: Callable[..., Any]) -> Definition:
        from pytest_bdd import parsers
        from pytest_bdd.steps import step_function_context_registry

        found = [
            context.parser
            for context in step_function_context_registry.values()
            if context.step_func is function and context.parser.is_matching(step.name)
        ]
        inner = inspect.unwrap(function)
        code = getattr(inner, "__code__", None)
        path = Path(code.co_filename) if code else Path()
        # A library's own folder says nothing on another machine.
        outside = f"{inner.__module__.replace('.', '/')}.py"
        return Definition(
            pattern=found[0].name if found else step.name,
            path=_relative(path, self._root) if path.is_relative_to(self._root) else outside,
            line=code.co_firstlineno if code else 1,
            is_regex=bool(found) and isinstance(found[0], parsers.re),
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        attempt = item.stash.get(_ATTEMPT, None)
        if attempt is None:
            return report
        self._take(attempt, report, call)
        if report.when == "teardown":
            self._end(attempt, report)
        if report.when != "call":
            attach(report, {"scenario": msgspec.to_builtins(attempt)})
        return report

    def _take(
        self, attempt: Attempt, report: pytest.TestReport, call: pytest.CallInfo[None]
    ) -> None:
        """Take the reason of a failure or a skip, and say where it belongs."""
        from ._plugin_attachments import without_secrets

        if report.passed:
            return
        message = without_secrets(reason(report))
        kind = brief = ""
        if call.excinfo is not None and report.failed:
            kind = call.excinfo.typename
            brief = without_secrets(str(call.excinfo.value).partition("\n")[0])
        status: Status = "skipped" if report.skipped else "failed"
        broken = [s for s in attempt.steps if s.started and s.status != "passed"]
        if report.when == "call" and broken:
            step = broken[0]
            step.status = "undefined" if step.status == "undefined" else status
            step.message, step.kind, step.brief = message, kind, brief
            return
        attempt.hooks.append(
            Hook(
                when="before" if report.when == "setup" else "after",
                name=str(report.when),
                status=status,
                message=message,
                kind=kind,
                brief=brief,
                seconds=call.duration,
            )
        )

    def _end(self, attempt: Attempt, report: pytest.TestReport) -> None:
        from ._plugin_attachments import attachments

        attempt.finished = time.time()
        attempt.attachments = list(
            attachments(
                self._session.evidence(),
                printed=report.sections if attempt.has_failed else (),
                in_lanes=attempt.has_failed,
            )
        )


def reason(report: pytest.TestReport) -> str:
    """Return why a test did not pass."""
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return f"failed as expected: {report.wasxfail or 'no reason given'}"
        if isinstance(report.longrepr, tuple):
            return str(report.longrepr[2])
    return report.longreprtext


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
