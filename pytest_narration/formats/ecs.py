"""Elastic Common Schema, as all of Elastic's ECS loggers write it; names dotted or nested.

https://www.elastic.co/guide/en/ecs-logging/overview/current/intro.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .field_map import find
from .format import JsonFormat

__all__ = ["Ecs"]


class Ecs(JsonFormat):
    """``{"@timestamp":…,"log.level":"INFO","message":…,"ecs.version":"1.2.0","trace.id":…}``."""

    name: ClassVar[str] = "ecs"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("log.level", "level"),
        timestamp=("@timestamp",),
        actor=("log.logger",),
        action=("event.action",),
        service=("service.name",),
        error=("error.type", "error.stack_trace"),
        noise=("ecs.version", "ecs"),
    )

    def score(self, record: dict[str, Any]) -> int:
        if "@timestamp" not in record:
            return 0
        if find(record, "ecs.version") is not None:
            return 95
        return 90 if find(record, "log.level") is not None else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        file, line = find(record, "log.origin.file.name"), find(record, "log.origin.file.line")
        if isinstance(file, str) and isinstance(line, int):
            flat["source_location"] = f"{file.rpartition('/')[2]}:{line}"
        duration = find(record, "event.duration")
        if isinstance(duration, int) and not isinstance(duration, bool):
            flat["duration_ms"] = duration / 1_000_000  # ECS counts nanoseconds
        return flat
