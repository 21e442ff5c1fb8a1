"""Body of the fixture ``story_snapshot``, and the hooks that come with its first use."""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from .errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from .snapshot.approval import StorySnapshot

__all__ = ["keep_uncompared", "story_snapshot_of"]

_NAME = "narration-stories"
_CONTROLLER = "narration-stories-controller"


def keep_uncompared(config: pytest.Config) -> None:
    """Have xdist's controller keep the stories that no worker came to."""
    config.pluginmanager.register(_ControllerHooks(), _CONTROLLER)


def story_snapshot_of(request: pytest.FixtureRequest) -> StorySnapshot:
    """Return the snapshot of the requesting test.

    :raises MissingExtra: syrupy is not installed.
    """
    __tracebackhide__ = True
    if find_spec("syrupy") is None:
        raise MissingExtra("syrupy", "snapshots")
    from .snapshot.approval import StorySnapshot

    config = request.config
    if not hasattr(config, "_syrupy"):
        raise pytest.UsageError(
            "story_snapshot needs the plugin syrupy, which is installed and not loaded: "
            "run pytest with -p syrupy, or without -p no:syrupy"
        )
    if not config.pluginmanager.hasplugin(_NAME):
        config.pluginmanager.register(_Hooks(), _NAME)
    try:
        return StorySnapshot(request.getfixturevalue("snapshot"), request.node)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


class _Hooks:
    def __init__(self) -> None:
        self._is_ended_early = False

    def pytest_keyboard_interrupt(self) -> None:
        """Also ``pytest.exit()``, whatever exit code that asks for."""
        self._is_ended_early = True

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, Any, Any]:
        is_cut_short = bool(self._is_ended_early or session.shouldstop or session.shouldfail)
        is_worker = hasattr(session.config, "workerinput")
        syrupy: Any = session.config._syrupy  # type: ignore[attr-defined]  # set by syrupy
        # What another worker ran is "not run" here: only the controller knows what nobody ran.
        if is_cut_short or not is_worker:
            outcomes = {nodeid: item.value for nodeid, item in syrupy._selected_items.items()}
            for nodeid in _uncompared(outcomes, is_cut_short=is_cut_short):
                syrupy.ran_item(nodeid, "skipped")
        return (yield)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        from .snapshot.approval import StorySnapshot

        for side in (right, left):
            if op == "==" and isinstance(side, StorySnapshot):
                return side.explanation() or None
        return None


class _ControllerHooks:
    """Stands in the process that deletes for all of xdist's workers, some of which may be gone."""

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, Any, Any]:
        syrupy = getattr(session.config, "_syrupy", None)
        reports = getattr(syrupy, "_worker_reports", ())
        if not any(map(_has_stories, reports)):
            return (yield)
        outcomes: dict[str, Any] = {}
        for report in reports:
            for nodeid, outcome in report["selected"].items():
                outcomes[nodeid] = outcomes.get(nodeid) or outcome
        is_cut_short = exitstatus == pytest.ExitCode.INTERRUPTED
        for nodeid in _uncompared(outcomes, is_cut_short=is_cut_short):
            for report in reports:
                report["selected"][nodeid] = "skipped"
        return (yield)


def _has_stories(report: dict[str, Any]) -> bool:
    return any(name.startswith(__package__) for name in report["extensions"].values())


def _uncompared(outcomes: dict[str, Any], *, is_cut_short: bool) -> list[str]:
    """Return the tests whose stories syrupy must take for those of skipped tests, and keep.

    It takes for unused what no test compared, also where the test failed before it did, or never
    ran because the run stopped or its worker crashed.
    """
    return [
        nodeid
        for nodeid, outcome in outcomes.items()
        if is_cut_short or outcome == "failed" or not outcome
    ]
