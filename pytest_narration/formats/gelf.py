"""GELF 1.1 (Graylog): ``short_message``, syslog levels, own fields with an underscore before.

https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Gelf"]


class Gelf(JsonFormat):
    """``{"version":"1.1","host":…,"short_message":…,"timestamp":1.5e9,"level":3,"_reqId":…}``."""

    name: ClassVar[str] = "gelf"
    shape: ClassVar[Shape] = Shape(
        human=("short_message",),
        level=("level",),
        scale="syslog",
        timestamp=("timestamp",),
        actor=("logger", "logger_name", "LoggerName", "SourceClassName", "facility"),
        error=("exception", "full_message"),
        noise=("version",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 95 if "short_message" in record and "host" in record else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, value in record.items():
            own = name[1:] if name.startswith("_") and len(name) > 1 else name
            flat[own if own not in record or own == name else name] = value
        if flat.get("full_message") == flat.get("short_message"):
            flat.pop("full_message", None)
        return flat
