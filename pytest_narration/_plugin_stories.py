"""Body of the fixture ``story_snapshot``, and the words of a comparison that failed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

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
        config.pluginmanager.register(_Words(), _NAME)
    try:
        return StorySnapshot(request.getfixturevalue("snapshot"), request.node)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


class _Words:
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        from .snapshot.approval import StorySnapshot

        for side in (right, left):
            if op == "==" and isinstance(side, StorySnapshot):
                return side.explanation() or None
        return None
