"""``--narration-cucumber`` during a run: gather the scenarios, write the reports.

The controller, or a run's only process, gathers what :mod:`._plugin_scenarios` sends along with
the tests' reports, and writes the files at the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ._plugin_receiver import ATTRIBUTE, receive
from ._plugin_scenarios import Follower, reason
from ._plugin_steps import scenarios_of
from .coverage.report import Request, check_destination
from .cucumber import Attempt, Hook, Run, Unread, parse, render
from .errors import ConfigurationError, NarrationError

__all__ = ["start"]

_OPTION = "--narration-cucumber"


def start(config: pytest.Config) -> None:
    """Register what follows scenarios, what writes reports, or both.

    :raises pytest.UsageError: a type or a destination is wrong, or pytest-bdd is not loaded.
    """
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


class Gathered:
    """Gathers on the controller, or in a run without workers, and writes."""

    def __init__(self, config: pytest.Config, wanted: list[tuple[str, Path]]) -> None:
        self._config = config
        self._wanted = wanted
        self._started = time.time()
        self._open: dict[str, Attempt] = {}
        self._attempts: list[Attempt] = []
        self._unread: list[Unread] = []
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

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Learn of feature files that could not be collected."""
        message = json.loads(getattr(report, ATTRIBUTE, "{}"))
        if "unread" in message:
            self._unread.append(msgspec.convert(message["unread"], Unread))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn from xdist that a worker crashed."""
        if report.when not in ("setup", "call", "teardown"):
            self._cut_short([report.nodeid], reason(report))

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
            except (OSError, NarrationError) as error:
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
            unread=self._unread,
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
