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
from .cucumber import Argument, Attempt, Definition, Hook, Status, Step, Unread

if TYPE_CHECKING:
    from pytest_bdd.parser import Step as GherkinStep
    from pytest_bdd.parsers import StepParser

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
        parser = _parser(step, step_func)
        told.definition = self._definition(step, step_func, parser)
        told.arguments = _arguments(parser, step.name)

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

    def _definition(
        self, step: GherkinStep, function: Callable[..., Any], parser: StepParser | None
    ) -> Definition:
        from pytest_bdd import parsers

        inner = inspect.unwrap(function)
        code = getattr(inner, "__code__", None)
        path = Path(code.co_filename) if code else Path()
        # A library's own folder says nothing on another machine.
        outside = f"{inner.__module__.replace('.', '/')}.py"
        return Definition(
            pattern=parser.name if parser else step.name,
            path=_relative(path, self._root) if path.is_relative_to(self._root) else outside,
            line=code.co_firstlineno if code else 1,
            is_regex=isinstance(parser, parsers.re),
        )

    def pytest_exception_interact(
        self,
        node: pytest.Item | pytest.Collector,
        call: pytest.CallInfo[Any],
        report: pytest.CollectReport | pytest.TestReport,
    ) -> None:
        """Tell of a feature file that could not be collected."""
        if not isinstance(report, pytest.CollectReport) or call.excinfo is None:
            return
        path = _unread(call.excinfo.value, node)
        if path is not None:
            message = str(call.excinfo.value).partition("\n")[0]
            file = Unread(_relative(path, self._root), str(path), message)
            attach(report, {"unread": msgspec.to_builtins(file)})

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


def _parser(step: GherkinStep, function: Callable[..., Any]) -> StepParser | None:
    """Return what found the step's function."""
    from pytest_bdd.steps import step_function_context_registry

    contexts = step_function_context_registry.values()
    found = (c.parser for c in contexts if c.step_func is function)
    return next((parser for parser in found if parser.is_matching(step.name)), None)


def _arguments(parser: StepParser | None, text: str) -> list[Argument]:
    """Return the parts of a step's text that its function is called with."""
    from pytest_bdd import parsers

    from .steps.phrase import Phrase

    if isinstance(parser, Phrase):
        spans = [(begin, end, kind) for (begin, end), kind in parser.places(text)]
    elif isinstance(parser, parsers.re):
        match = parser.regex.fullmatch(text)
        named = parser.regex.groupindex if match else ()
        spans = [(*match.span(name), "") for name in named if match and match[name] is not None]
    elif isinstance(parser, parsers.parse):
        result = parser.parser.parse(text)
        spans = [(*span, "") for span in result.spans.values()] if result else []
    else:
        spans = []
    return [Argument(begin, text[begin:end], kind) for begin, end, kind in sorted(spans)]


def _unread(error: BaseException | None, node: pytest.Item | pytest.Collector) -> Path | None:
    """Return the feature file that was not collected, whichever file binds it."""
    from pytest_bdd.exceptions import GherkinParseError

    while error is not None:
        if isinstance(error, GherkinParseError):
            return Path(error.filename)
        error = error.__cause__
    return node.path if node.path.suffix == ".feature" else None


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
