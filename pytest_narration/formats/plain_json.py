"""JSON objects of no known logger: zerolog, logrus, Monolog, Google Cloud and hand-made ones.

The names that nearly all loggers choose between are tried in order.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .field_map import find
from .format import JsonFormat

__all__ = ["PlainJson"]


class PlainJson(JsonFormat):
    """Anything with a message or the name of an event."""

    name: ClassVar[str] = "json"
    shape: ClassVar[Shape] = Shape(
        human=(
            "human", "message", "msg", "Message", "MESSAGE", "text", "log", "textPayload",
            "jsonPayload.message", "short_message", "description", "body", "event", "summary",
        ),
        template=("message_template", "messageTemplate", "template"),
        level=(
            "level", "severity", "level_name", "levelname", "log.level", "log_level", "loglevel",
            "lvl", "Level", "LogLevel", "PRIORITY", "priority", "severityText",
        ),
        timestamp=(
            "timestamp", "time", "ts", "@timestamp", "datetime", "date", "eventTime", "created_at",
            "occurred_at", "Timestamp", "Time", "asctime", "t", "__REALTIME_TIMESTAMP",
        ),
        actor=("actor", "logger", "logger_name", "loggerName", "name", "target", "channel"),
        error=("error.stack", "err.stack", "stack", "exception", "stack_trace", "stacktrace"),
    )  # fmt: skip

    def score(self, record: dict[str, Any]) -> int:
        if any(isinstance(record.get(name), str) for name in ("message", "msg")):
            return 10
        if any(_says(find(record, path)) for path in self.shape.human):
            return 8
        names = ("event_name", "eventName", "event.name", "event.action", "action", "event_type")
        return 6 if any(isinstance(find(record, name), str) for name in names) else 0


def _says(value: Any) -> bool:
    return isinstance(value, str | dict | int) and not isinstance(value, bool) and bool(value)
