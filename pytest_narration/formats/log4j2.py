"""Java's log4j2 with ``JsonLayout``; its template layouts write ECS, GELF or Logstash."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Log4j2"]


class Log4j2(JsonFormat):
    """``{"instant":{"epochSecond":…},"loggerName":…,"level":"INFO","contextMap":{…}}``."""

    name: ClassVar[str] = "log4j2"
    shape: ClassVar[Shape] = Shape(
        human=("message", "message.message"),
        level=("level",),
        timestamp=("timeMillis", "instant_seconds", "@timestamp"),
        actor=("loggerName",),
        error=("thrown.name",),
        open=("contextMap",),
        noise=("endOfBatch", "loggerFqcn", "threadPriority"),
    )

    def score(self, record: dict[str, Any]) -> int:
        known = "loggerName" in record and "level" in record and "message" in record
        return 90 if known and ("instant" in record or "timeMillis" in record) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        instant = flat.get("instant")
        if isinstance(instant, dict) and isinstance(second := instant.get("epochSecond"), int):
            nano = instant.get("nanoOfSecond")
            flat["instant_seconds"] = second + (nano / 1e9 if isinstance(nano, int) else 0)
            del flat["instant"]
        context = flat.get("contextMap")
        if isinstance(context, list):  # properties="false" writes a list of pairs
            pairs = [pair for pair in context if isinstance(pair, dict) and "key" in pair]
            flat["contextMap"] = {str(pair["key"]): pair.get("value") for pair in pairs}
        return flat
