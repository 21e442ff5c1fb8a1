"""Go's zap, production encoder: ``ts`` in float seconds, ``caller``, ``msg``, ``stacktrace``."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Zap"]


class Zap(JsonFormat):
    """``{"level":"info","ts":1700000000.123,"logger":"db","caller":"x/y.go:7","msg":…}``."""

    name: ClassVar[str] = "zap"
    shape: ClassVar[Shape] = Shape(
        # The short names are those of zap's development encoder.
        human=("msg", "message", "M"),
        level=("level", "L", "severity"),
        timestamp=("ts", "timestamp", "T"),
        actor=("logger", "N"),
        error=("errorVerbose",),
    )

    def score(self, record: dict[str, Any]) -> int:
        if {"L", "M"} <= record.keys():
            return 85
        if "msg" not in record or "level" not in record or "ts" not in record:
            return 0
        return 80 + ("caller" in record) + ("stacktrace" in record)
