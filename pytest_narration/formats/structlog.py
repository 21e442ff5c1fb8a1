"""structlog with ``JSONRenderer``: the message is ``event``."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Structlog"]


class Structlog(JsonFormat):
    """``{"event": "user_logged_in", "level": "info", "timestamp": …, "request_id": …}``."""

    name: ClassVar[str] = "structlog"
    shape: ClassVar[Shape] = Shape(
        human=("event",),
        level=("level", "log_level", "severity"),
        timestamp=("timestamp", "time", "ts"),
        actor=("logger", "logger_name"),
        error=("exception",),
    )

    def score(self, record: dict[str, Any]) -> int:
        if not isinstance(record.get("event"), str) or "message" in record or "msg" in record:
            return 0
        return 60 if "level" in record or "log_level" in record or "timestamp" in record else 20

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        trace = record.get("exception")  # dict_tracebacks writes a list of exceptions
        if isinstance(trace, list) and trace and isinstance(trace[0], dict):
            return record | {"error_kind": trace[0].get("exc_type")}
        return record
