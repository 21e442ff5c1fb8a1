"""pino: numeric levels, epoch milliseconds, ``msg``; also with string levels and ISO times."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Pino"]


class Pino(JsonFormat):
    """``{"level":30,"time":1700000000000,"pid":1,"hostname":"h","name":"shop","msg":…}``."""

    name: ClassVar[str] = "pino"
    shape: ClassVar[Shape] = Shape(
        human=("msg", "message"),
        level=("level",),
        scale="bunyan",
        timestamp=("time", "timestamp"),
        actor=("name", "module", "component"),
        error=("err.stack", "error.stack"),
    )

    def score(self, record: dict[str, Any]) -> int:
        if "v" in record and record["v"] == 0:
            return 0
        level, pid = record.get("level"), "pid" in record and "hostname" in record
        if isinstance(level, int) and not isinstance(level, bool) and level >= 10:
            return 80 if isinstance(record.get("time"), int) or pid else 0
        return 60 if pid and "msg" in record and isinstance(level, str) else 0
