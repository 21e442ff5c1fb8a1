"""Hooks around each test: its mark, its rules, its timeline on failure, its rejected lines.

Registered by the first use of narration in a process, never before.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from ._plugin_judge import choice_of
from ._plugin_receiver import attach, could_not_be_read, describe, receive
from ._plugin_session import Session, session_of
from ._plugin_settling import settled_complaint
from .event import Event
from .recorder import Evidence

__all__ = ["Watch", "watch_all", "watch_items"]

_EXAMPLES = 5
_TIMELINE_LINES = 60
_FIXTURES = ("narration", "narration_capture", "narration_cluster", "narration_recorder")
_STRICT = pytest.StashKey[bool]()


def watch_all(config: pytest.Config) -> None:
    """Judge every test by all rules, and fail it for rejected lines: ``--narration-strict``."""
    config.stash[_STRICT] = True
    session_of(config).listen()


def watch_items(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Record for marked tests, also those that use no fixture of ours."""
    session_of(config).listen()


class Watch:
    """The hooks of one pytest process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        receive(session.config)
        self._rejected_sent = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._session.begin(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        result = yield
        marker = item.get_closest_marker("narration")
        strict = self._session.config.stash.get(_STRICT, False)
        if marker is not None or strict:
            try:
                self._judge(item, marker, strict=strict)
            except pytest.UsageError as error:
                pytest.fail(f"narration: {error}", pytrace=False)
        return result

    def _judge(self, item: pytest.Item, marker: pytest.Mark | None, *, strict: bool) -> None:
        __tracebackhide__ = True
        choice = choice_of(marker)
        evidence = self._session.evidence()

        def complaint() -> str:
            complaints = []
            if marker is not None or evidence.records():
                complaints.append(self._session.policy.complaint(evidence, choice))
            if strict and evidence.rejected:
                complaints += [could_not_be_read(len(evidence.rejected)), *_examples(evidence)]
            return "\n".join(filter(None, complaints))

        # A test that has nothing to do with services must not wait for them.
        is_about_services = _uses_narration(item) or evidence.records() or evidence.rejected
        text = settled_complaint(evidence.recorder, complaint) if is_about_services else ""
        if text:
            pytest.fail(text, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed and _uses_narration(item):
            text = self._timeline(item)
            if text:
                report.sections.append(("narration", text))
        if report.when == "teardown":
            self._attach_rejected(report)
        return report

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Say in which fields two events differ."""
        if op == "==" and isinstance(left, Event) and isinstance(right, Event):
            from .explain import compare

            return ["the events differ:", *compare(left, right)]
        return None

    def _timeline(self, item: pytest.Item) -> str:
        from .explain import timeline

        capture = self._session.captured(item.nodeid)
        evidence: Evidence = self._session.evidence()
        if capture is not None and not evidence.records():
            evidence = capture
        return timeline(evidence, limit=_TIMELINE_LINES) if evidence.records() else ""

    def _attach_rejected(self, report: pytest.TestReport) -> None:
        rejected = self._session.recorder.rejected
        fresh = rejected[self._rejected_sent :]
        self._rejected_sent = len(rejected)
        if fresh:
            examples = [describe(r.line, r.why, r.source, r.offset) for r in fresh[:_EXAMPLES]]
            attach(report, {"rejected": len(fresh), "examples": examples})


def _uses_narration(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in _FIXTURES) or bool(item.get_closest_marker("narration"))


def _examples(evidence: Evidence) -> list[str]:
    rejected = evidence.rejected[:_EXAMPLES]
    return [f"  {describe(r.line, r.why, r.source, r.offset)}" for r in rejected]
