"""Types of the fixtures, for annotations in tests and steps; the plugin never imports this.

>>> def test_checkout(narration: Narration, narration_capture: Capture) -> None: ...
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ._plugin_capture import Capture, SseChannel
from ._plugin_narration import Narration
from .errors import MissingExtra

if TYPE_CHECKING:
    from .snapshot.approval import StorySnapshot

__all__ = ["Capture", "Narration", "SseChannel", "StorySnapshot"]


def __getattr__(name: str) -> Any:
    if name != "StorySnapshot":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # It needs syrupy, which those who annotate the other fixtures need not have.
    if find_spec("syrupy") is None:
        raise MissingExtra("syrupy", "snapshots")
    from .snapshot.approval import StorySnapshot

    return StorySnapshot
