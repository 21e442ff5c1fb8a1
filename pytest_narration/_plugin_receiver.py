"""Test reports -> what pytest processes say about narration: coverage, scenarios, rejected lines.

A process attaches one JSON string to a test's last report; xdist carries plain attributes to the
controller, and in a run without workers the report simply arrives. So one path serves both, and a
worker that crashes loses only its running test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["ATTRIBUTE", "Receiver", "attach", "could_not_be_read", "describe", "receive"]

ATTRIBUTE = "narration_json"
_REJECTED_SHOWN = 5
_LINE_SHOWN = 160
_NAME = "narration-receiver"


def attach(report: pytest.TestReport | pytest.CollectReport, message: dict[str, Any]) -> None:
    """Send ``message`` along with the report, beside what was attached before."""
    known = json.loads(getattr(report, ATTRIBUTE, "{}"))
    # A non-JSON attribute would end the run in an internal error under xdist.
    setattr(report, ATTRIBUTE, json.dumps(known | message))


def receive(config: pytest.Config) -> Receiver:
    """Return the process's receiver, registered on first use."""
    receiver = config.pluginmanager.get_plugin(_NAME)
    if receiver is None:
        receiver = Receiver(is_worker=hasattr(config, "workerinput"))
        config.pluginmanager.register(receiver, _NAME)
    assert isinstance(receiver, Receiver)
    return receiver


class Receiver:
    """Collects what reports bring, and tells of rejected lines at the end."""

    def __init__(self, *, is_worker: bool) -> None:
        self.is_worker = is_worker
        self.on_coverage: Callable[[str], None] = _ignore
        self.on_scenario: Callable[[dict[str, Any]], None] = _ignore
        self._rejected = 0
        self._examples: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.is_worker:
            return
        text = report.__dict__.pop(ATTRIBUTE, None)
        if text is not None:
            self.take(json.loads(text))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker saw after its last test."""
        text = (getattr(node, "workeroutput", None) or {}).get(ATTRIBUTE)
        if text is not None:
            self.take(json.loads(text))

    def take(self, message: dict[str, Any]) -> None:
        """Add one message."""
        self._rejected += message.get("rejected", 0)
        self._examples += message.get("examples", ())
        if "coverage" in message:
            self.on_coverage(message["coverage"])
        if "scenario" in message:
            self.on_scenario(message["scenario"])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.is_worker or not self._rejected:
            return
        terminalreporter.section("narration: rejected lines", yellow=True)
        terminalreporter.write_line(could_not_be_read(self._rejected), yellow=True)
        for example in self._examples[:_REJECTED_SHOWN]:
            terminalreporter.write_line(f"  {example}")
        if self._rejected > _REJECTED_SHOWN:
            terminalreporter.write_line(f"  … and {self._rejected - _REJECTED_SHOWN} more")


def could_not_be_read(count: int) -> str:
    """Return the headline over rejected lines."""
    if count == 1:
        return "1 line could not be read as an event:"
    return f"{count} lines could not be read as events:"


def describe(line: bytes, why: str, source: str, offset: int) -> str:
    """Return one rejected line as text: where, why, and its beginning."""
    # Late: only a run with such lines needs it. A report goes to more places than a log.
    from .emit.redaction import Redactor

    text = Redactor().clean(line[: 10 * _LINE_SHOWN].decode("utf-8", "backslashreplace"))
    return f"{source or 'unknown source'}, byte {offset}: {why}: {text[:_LINE_SHOWN]!r}"


def _ignore(message: object) -> None:
    """What nobody asked for."""
