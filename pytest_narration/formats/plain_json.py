"""JSON objects of many loggers: zerolog, hclog, logrus, Monolog, Google Cloud, hand-made ones.

The names that nearly all loggers choose between are tried in order.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .field_map import find
from .format import JsonFormat
from .levels import level_of

__all__ = ["PlainJson"]


class PlainJson(JsonFormat):
    """Anything with a message, the name of an event, or at least a level and a time."""

    name: ClassVar[str] = "json"
    shape: ClassVar[Shape] = Shape(
        human=(
            "human", "message", "msg", "@message", "Message", "MESSAGE", "text", "log",
            "textPayload", "jsonPayload.message", "short_message", "description", "body", "event",
            "summary", "properties.message",
        ),
        template=("message_template", "messageTemplate", "template"),
        level=(
            "level", "severity", "level_name", "levelname", "log.level", "log_level", "loglevel",
            "lvl", "@level", "Level", "LogLevel", "PRIORITY", "priority", "severityText",
            "syslog.severity",
        ),
        timestamp=(
            "timestamp", "time", "ts", "@timestamp", "datetime", "date", "eventTime", "created_at",
            "occurred_at", "Timestamp", "Time", "asctime", "t", "__REALTIME_TIMESTAMP",
        ),
        actor=("actor", "logger", "logger_name", "loggerName", "@module", "name", "target",
            "channel",
        ),
        open=("@fields",),
        error=("error.stack", "err.stack", "stack", "exception", "stack_trace", "stacktrace"),
    )  # fmt: skip

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        thrown = record.get("message")
        if isinstance(thrown, dict) and isinstance(thrown.get("errorMessage"), str):  # AWS Lambda
            return record | {"message": thrown["errorMessage"], "thrown": thrown}
        return record

    def score(self, record: dict[str, Any]) -> int:
        if any(isinstance(record.get(name), str) for name in ("message", "msg")):
            return 10
        if isinstance(record.get("@message"), str):
            return 30
        if any(_says(find(record, path)) for path in self.shape.human):
            return 8
        names = ("event_name", "eventName", "event.name", "event.action", "action", "event_type")
        if any(isinstance(find(record, name), str) for name in names):
            return 6
        # Fields alone, without a word: zerolog's Send(), and calls that forgot their message.
        level = level_of(record.get("level", record.get("severity")))
        return 4 if level and any(name in record for name in _STAMPS) else 0


_STAMPS = ("time", "timestamp", "ts", "@timestamp", "t")


def _says(value: Any) -> bool:
    return isinstance(value, str | dict | int) and not isinstance(value, bool) and bool(value)
