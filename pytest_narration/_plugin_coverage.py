"""``--narration-coverage`` during a run: collect per test, merge, judge, report, save.

A process that runs tests collects from its session recorder and attaches what each test added to
the test's last report; the controller (or the same process) merges, and at the end judges the
gates, prints the reports and writes ``.narration-coverage``.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence

import pytest

from ._plugin_options import CoverageSettings, coverage_settings
from ._plugin_receiver import ATTRIBUTE, attach, receive
from ._plugin_session import Session, session_of
from .coverage.capabilities import detect
from .coverage.collector import Collector
from .coverage.data import SESSION, CoverageData
from .coverage.gate import Judged, judge
from .coverage.locations import locate
from .coverage.report import TERMINAL, terminal_lines, write
from .coverage.results import Results, analyse
from .errors import ConfigurationError, CoverageDataError, NarrationError
from .recorder import IN_PROCESS, Recorder

__all__ = ["start"]

_STYLES: dict[str, dict[str, bool]] = {"good": {"green": True}, "bad": {"red": True, "bold": True}}


def start(config: pytest.Config) -> None:
    """Register what measures, what judges, or both.

    :raises pytest.UsageError: an option is wrong, or there is no catalog.
    """
    settings = coverage_settings(config)
    if any(config.getoption(name) for name in ("collectonly", "setuponly", "setupplan")):
        return  # no test runs, so there is nothing to measure
    is_worker = hasattr(config, "workerinput")
    if not config.getoption("numprocesses", None) or is_worker:
        measure = Measure(settings, session_of(config))
        config.pluginmanager.register(measure, "narration-coverage-measure")
    if not is_worker:
        verdict = Verdict(settings, config)
        receive(config).on_coverage = verdict.add
        config.pluginmanager.register(verdict, "narration-coverage-verdict")


class Measure:
    """Collects in a process that runs tests."""

    def __init__(self, settings: CoverageSettings, session: Session) -> None:
        self._session = session
        self._collector = Collector(settings.catalog)
        self._positions: list[int] = []
        """How far each of the session's recorders has been read."""
        self._nodeid = SESSION
        session.listen()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._collect()
        # The name of a file may hold bytes that are no text, and so cannot be saved.
        self._nodeid = item.nodeid.encode("utf-8", "backslashreplace").decode()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "teardown":
            data = self.take()
            self._nodeid = SESSION
            if data:
                attach(report, {"coverage": data.to_json()})
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        # Inner to the verdict's wrapper: what came after the last test is in before the gate.
        try:
            return (yield)
        finally:
            self._send_rest(session.config)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what an interrupted test and the end of session fixtures left."""
        self._send_rest(session.config)

    def take(self) -> CoverageData:
        """Return what was recorded since the last call."""
        self._collect()
        return self._collector.take()

    def _collect(self) -> None:
        recorders = self._session.recorders
        self._positions += [0] * (len(recorders) - len(self._positions))
        for number, recorder in enumerate(recorders):
            stop = recorder.mark()
            for record in recorder.since(self._positions[number]).until(stop).records():
                self._collector.add(
                    record.event,
                    channel=record.channel,
                    source=record.source,
                    context=self._context(recorder, record.index),
                    may_be_late=record.source != IN_PROCESS,
                )
            self._positions[number] = stop

    def _context(self, recorder: Recorder, index: int) -> str:
        is_session = recorder is self._session.recorder
        if is_session and any(first <= index < last for first, last in self._session.spans):
            return SESSION
        return self._nodeid

    def _send_rest(self, config: pytest.Config) -> None:
        data = self.take()
        if not data:
            return
        message = {"coverage": data.to_json()}
        output: dict[str, str] | None = getattr(config, "workeroutput", None)
        if output is None:
            receive(config).take(message)
            return
        known = json.loads(output.get(ATTRIBUTE, "{}")).get("coverage")
        if known:
            data.update(CoverageData.from_json(known))
        output[ATTRIBUTE] = json.dumps({"coverage": data.to_json()})


class Verdict:
    """Merges, judges and reports, on the controller or in a run without workers."""

    def __init__(self, settings: CoverageSettings, config: pytest.Config) -> None:
        self._settings = settings
        self._config = config
        self._data = settings.new_data(config.rootpath)
        points = settings.catalog.points
        self._data.capabilities = detect(points, settings.catalog.capabilities)
        self._results: Results | None = None
        self._judged: Sequence[Judged] = ()
        self._interrupted = False
        self._unwritten: list[str] = []
        self._session: pytest.Session | None = None

    def add(self, text: str) -> None:
        """Merge one part."""
        self._data.update(CoverageData.from_json(text, where="coverage of a test report"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        try:
            result = yield
        except (session.Failed, session.Interrupted, KeyboardInterrupt, pytest.exit.Exception):
            self._interrupted = True
            raise
        if session.testscollected:
            self._judge()
            assert self._results is not None
            held = all(judged.holds for judged in self._judged)
            if not self._results.has_events or not held:
                # The documented way for a plugin to make a green run exit with 1.
                session.testsfailed += 1
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what was seen, also of a run that was interrupted."""
        self._session = session
        if session.testscollected:
            try:
                self._data.save(self._settings.data_file)
            except CoverageDataError as error:
                self._fail(error)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._results is None and self._data:
            self._judge()
        if self._results is not None:
            self._print(terminalreporter, self._results)
            for line in self._write(self._results):
                terminalreporter.write_line(line)
        for error in self._unwritten:
            terminalreporter.write_line(f"ERROR: {error}", red=True, bold=True)

    def _write(self, results: Results) -> Iterator[str]:
        for request in self._settings.reports:
            if request.destination is None:
                continue
            try:
                path = write(request, results, self._judged, self._settings.folder)
            except ConfigurationError as error:
                self._fail(error)
            else:
                yield f"Narration coverage {request.format} written to {path}"

    def _fail(self, error: NarrationError) -> None:
        """Tell at the end what could not be written; an exit code of tests stays."""
        self._unwritten.append(str(error))
        if self._session is not None and self._session.exitstatus == pytest.ExitCode.OK:
            self._session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _judge(self) -> None:
        catalog = self._settings.catalog
        locations = locate(catalog, base=self._config.rootpath)
        self._results = analyse(catalog, self._data, locations=locations)
        # What an interrupted run did not get to says nothing about the tests.
        measured = self._results.has_events and not self._interrupted
        gates = self._settings.gates if measured else ()
        self._judged = judge(gates, self._results.dimensions)

    def _print(self, terminal: pytest.TerminalReporter, results: Results) -> None:
        shown = [r for r in self._settings.reports if r.format in TERMINAL and not r.destination]
        name = f": {results.catalog.name}" if results.catalog.name else ""
        missing = any(r.format == "term-missing" for r in shown)
        lines = terminal_lines(results, self._judged, missing=missing)
        if not shown:
            # The reason of a red exit code is printed whatever the reports.
            lines = [line for line in lines if line.style == "bad"]
        if not lines:
            return
        terminal.section(f"narration coverage{name}")
        for line in lines:
            terminal.write_line(line.text, **_STYLES.get(line.style, {}))
        if self._interrupted:
            terminal.write_line("The run was cut short: no gate was applied.", yellow=True)
