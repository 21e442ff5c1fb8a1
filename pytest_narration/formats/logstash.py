"""Java over Logstash's JSON: logback's LogstashEncoder, and logback's own ``JsonEncoder``."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Logback", "Logstash"]


class Logstash(JsonFormat):
    """``{"@timestamp":…,"@version":"1","message":…,"logger_name":…,"level":"INFO", MDC…}``."""

    name: ClassVar[str] = "logstash"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("level", "level_value"),
        timestamp=("@timestamp",),
        actor=("logger_name", "logger"),
        error=("stack_trace",),
        noise=("@version", "level_value"),
        open=("mdc", "@fields"),
    )

    def score(self, record: dict[str, Any]) -> int:
        if "@timestamp" not in record or "message" not in record:
            return 0
        return 85 if "@version" in record or "logger_name" in record else 30


class Logback(JsonFormat):
    """``{"sequenceNumber":0,"timestamp":…,"loggerName":…,"mdc":{…},"formattedMessage":…}``."""

    name: ClassVar[str] = "logback"
    shape: ClassVar[Shape] = Shape(
        human=("formattedMessage", "message"),
        level=("level",),
        timestamp=("timestamp",),
        actor=("loggerName",),
        error=("throwable.className",),
        open=("mdc",),
    )

    def score(self, record: dict[str, Any]) -> int:
        known = "loggerName" in record and "threadName" in record
        return 88 if known and ("sequenceNumber" in record or "mdc" in record) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        if "formattedMessage" in flat and isinstance(flat.get("message"), str):
            flat["template"] = flat.pop("message")
        pairs = flat.get("kvpList")
        for pair in pairs if isinstance(pairs, list) else []:
            if isinstance(pair, dict):
                for key, value in pair.items():
                    flat.setdefault(key, value)
        return flat
