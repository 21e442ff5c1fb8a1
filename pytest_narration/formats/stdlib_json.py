"""Python's ``logging`` through python-json-logger and its kin: ``LogRecord`` attribute names."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["StdlibJson"]


class StdlibJson(JsonFormat):
    """``{"asctime": …, "levelname": "INFO", "name": "app.db", "message": …}``."""

    name: ClassVar[str] = "stdlib"
    shape: ClassVar[Shape] = Shape(
        human=("message", "msg"),
        level=("levelname", "level", "severity", "levelno"),
        scale="python",
        timestamp=("asctime", "timestamp", "created", "time"),
        actor=("name", "logger"),
        error=("exc_info", "exc_text", "exception"),
    )

    def score(self, record: dict[str, Any]) -> int:
        if "message" not in record and "msg" not in record:
            return 0
        marks = ("levelname", "asctime", "levelno", "funcName", "pathname", "lineno", "exc_info")
        known = sum(1 for mark in marks if mark in record)
        return 70 + known if known and "loggerName" not in record else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        place = record.get("filename") or record.get("pathname")
        if isinstance(place, str) and isinstance(line := record.get("lineno"), int):
            return record | {"source_location": f"{place.rpartition('/')[2]}:{line}"}
        return record
