"""Loggers for Node that keep what they were called with: log4js and tslog.

The first text among the arguments is the message, objects are fields.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .field_map import find
from .format import JsonFormat

__all__ = ["Log4js", "Tslog"]


class Log4js(JsonFormat):
    """``{"startTime":…,"categoryName":"shop","level":"ERROR","data":["failed",{…}]}``."""

    name: ClassVar[str] = "log4js"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("level.levelStr", "level"),
        timestamp=("startTime",),
        actor=("categoryName",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 88 if "categoryName" in record and isinstance(record.get("data"), list) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in record.items() if name != "data"}
        return _spread(record["data"], rest)


class Tslog(JsonFormat):
    """``{"0":"failed","1":{…},"_meta":{"logLevelName":"ERROR","date":…,"path":{…}}}``."""

    name: ClassVar[str] = "tslog"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("_meta.logLevelName",),
        timestamp=("_meta.date",),
        actor=("_meta.name",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 88 if isinstance(find(record, "_meta.logLevelName"), str) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        given = [value for name, value in record.items() if name.isdigit()]
        return _spread(given, {n: value for n, value in record.items() if not n.isdigit()})


def _spread(given: list[Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the arguments as fields, none of them lost."""
    texts = [value for value in given if isinstance(value, str)]
    for value in given:
        if isinstance(value, dict):
            rest = value | rest
    others = [value for value in given if not isinstance(value, dict | str)] + texts[1:]
    return rest | ({"message": texts[0]} if texts else {}) | ({"data": others} if others else {})
