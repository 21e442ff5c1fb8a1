"""Body of the fixture ``story_snapshot``, and the hooks that come with its first use."""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from .errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from .snapshot.approval import StorySnapshot

__all__ = ["story_snapshot_of"]

_NAME = "narration-stories"


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
    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, Any, Any]:
        is_cut_short = bool(
            session.shouldstop or session.shouldfail or exitstatus == pytest.ExitCode.INTERRUPTED
        )
        _spare(session.config, is_cut_short=is_cut_short)
        return (yield)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        from .snapshot.approval import StorySnapshot

        for side in (right, left):
            if op == "==" and isinstance(side, StorySnapshot):
                return side.explanation() or None
        return None


def _spare(config: pytest.Config, *, is_cut_short: bool) -> None:
    """Keep syrupy from deleting the stories that tests did not come to.

    It takes for unused what no test compared, also where the test failed before it did or never
    ran because the run stopped. The stories of skipped tests are the ones that it keeps.
    """
    syrupy: Any = getattr(config, "_syrupy", None)
    outcomes = getattr(syrupy, "_selected_items", {})
    for nodeid, outcome in list(outcomes.items()):
        if is_cut_short or outcome.value == "failed":
            syrupy.ran_item(nodeid, "skipped")
