"""winston with ``format.json()``: npm's level words and ``message``; everything else is free."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Winston"]

_LEVELS = frozenset({"error", "warn", "info", "http", "verbose", "debug", "silly"})


class Winston(JsonFormat):
    """``{"level":"info","message":…,"service":"user-service","timestamp":…}``."""

    name: ClassVar[str] = "winston"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("level",),
        timestamp=("timestamp", "time"),
        actor=("label", "module", "component"),
        error=("stack",),
        open=("metadata", "meta"),
    )

    def score(self, record: dict[str, Any]) -> int:
        level = record.get("level")
        if "message" not in record or not isinstance(level, str) or level not in _LEVELS:
            return 0
        if "level_index" in record:  # Ruby's semantic_logger, whose "name" is the logger's
            return 0
        return 40 if "timestamp" in record else 35
