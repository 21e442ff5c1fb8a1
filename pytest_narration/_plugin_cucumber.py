"""``--narration-cucumber`` during a run: follow each scenario, gather, write.

A process that runs tests says with a scenario's first report that it began and with its last one
what it came to, so that the report knows of scenarios whose worker crashed. The controller (or
the same process) gathers what arrives and writes the files at the end.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ._plugin_receiver import attach, receive
from ._plugin_session import session_of
from ._plugin_steps import scenarios_of
from .coverage.report import Request, check_destination
from .cucumber import Attempt, Definition, Hook, Run, Status, Step, parse, render
from .errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from pytest_bdd.parser import Step as GherkinStep

__all__ = ["start"]

_ATTEMPT: pytest.StashKey[Attempt] = pytest.StashKey()
_OPTION = "--narration-cucumber"


def start(config: pytest.Config) -> None:
    """Register what follows scenarios, what writes reports, or both.

    :raises pytest.UsageError: a type or a destination is wrong, or pytest-bdd is not there.
    """
    if find_spec("pytest_bdd") is None:
        raise pytest.UsageError(f"{_OPTION}: {MissingExtra('pytest-bdd', 'bdd')}")
    if not config.pluginmanager.has_plugin("pytest-bdd") and not _has_hooks(config):
        raise pytest.UsageError(
            f"{_OPTION} needs the plugin pytest-bdd, which is installed and not loaded: run pytest "
            "with -p pytest_bdd.plugin, or without -p no:pytest-bdd"
        )
    try:
        given = config.getoption("narration_cucumber")
        option = _OPTION if given else "narration_cucumber"
        wanted = [parse(v, option=option) for v in given or config.getini("narration_cucumber")]
        for name, path in wanted:
            check_destination(Request(name, path), config.invocation_params.dir)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    if config.getoption("collectonly"):
        return
    is_worker = hasattr(config, "workerinput")
    if not config.getoption("numprocesses", None) or is_worker:
        scenarios_of(config)  # first, so that its short reasons of failures are what is reported
        config.pluginmanager.register(Follower(config), "narration-cucumber-follower")
    if not is_worker:
        gathered = Gathered(config, wanted)
        receive(config).on_scenario = gathered.add
        config.pluginmanager.register(gathered, "narration-cucumber-gathered")


def _has_hooks(config: pytest.Config) -> bool:
    hook = getattr(config.hook, "pytest_bdd_before_step", None)
    return hook is not None and hook.has_spec()


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
        message = without_secrets(_reason(report))
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


class Gathered:
    """Gathers on the controller, or in a run without workers, and writes."""

    def __init__(self, config: pytest.Config, wanted: list[tuple[str, Path]]) -> None:
        self._config = config
        self._wanted = wanted
        self._started = time.time()
        self._open: dict[str, Attempt] = {}
        self._attempts: list[Attempt] = []
        self._written: list[str] = []
        self._failed: list[str] = []

    def add(self, message: dict[str, Any]) -> None:
        """Take note that a scenario began, or of what it came to."""
        attempt = msgspec.convert(message, Attempt)
        if attempt.finished:
            self._open.pop(attempt.nodeid, None)
            self._attempts.append(attempt)
        else:
            self._open[attempt.nodeid] = attempt

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn from xdist that a worker crashed."""
        if report.when not in ("setup", "call", "teardown"):
            self._cut_short([report.nodeid], _reason(report))

    def _cut_short(self, nodeids: Iterable[str], reason: str) -> None:
        for nodeid in nodeids:
            attempt = self._open.pop(nodeid, None)
            if attempt is not None:
                attempt.finished = time.time()
                attempt.hooks.append(Hook("after", "run", "failed", reason))
                self._attempts.append(attempt)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write what was asked for, also of a run that was interrupted."""
        self._cut_short(list(self._open), "the run was interrupted before this scenario ended")
        ok = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        for name, path in self._wanted:
            try:
                self._written.append(self._write(name, path, success=exitstatus in ok))
            except OSError as error:
                self._failed.append(f"the report {name} cannot be written: {error}")
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _write(self, name: str, destination: Path, *, success: bool) -> str:
        run = Run(
            attempts=self._attempts,
            started=self._started,
            finished=time.time(),
            success=success,
            version=version("pytest-narration"),
        )
        path = self._config.invocation_params.dir / destination
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(name, run), encoding="utf-8")
        return f"Cucumber {name} of {len(self._attempts)} scenarios written to {path}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self._written:
            terminalreporter.write_line(line)
        for line in self._failed:
            terminalreporter.write_line(f"ERROR: {line}", red=True, bold=True)


def _reason(report: pytest.TestReport) -> str:
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return f"failed as expected: {report.wasxfail or 'no reason given'}"
        if isinstance(report.longrepr, tuple):
            return str(report.longrepr[2])
    return report.longreprtext


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
