"""Go's ``log/slog`` with ``JSONHandler``: upper-case levels, ``INFO+2`` between them."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Slog"]


class Slog(JsonFormat):
    """``{"time":"2024-…","level":"INFO","source":{"file":…,"line":7},"msg":…}``."""

    name: ClassVar[str] = "slog"
    shape: ClassVar[Shape] = Shape(
        human=("msg",),
        level=("level",),
        timestamp=("time",),
        actor=("logger", "component"),
    )

    def score(self, record: dict[str, Any]) -> int:
        level = record.get("level")
        if "msg" not in record or not isinstance(level, str) or not level.isupper():
            return 0
        return 75 if isinstance(record.get("time"), str) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        source = record.get("source")
        if isinstance(source, dict) and isinstance(file := source.get("file"), str):
            return record | {"source_location": f"{file.rpartition('/')[2]}:{source.get('line')}"}
        return record
