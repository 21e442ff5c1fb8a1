"""Types of the fixtures, for annotations in tests and steps; the plugin never imports this.

>>> def test_checkout(narration: Narration, narration_capture: Capture) -> None: ...
"""

from __future__ import annotations

from ._plugin_capture import Capture, SseChannel
from ._plugin_narration import Narration

__all__ = ["Capture", "Narration", "SseChannel"]
