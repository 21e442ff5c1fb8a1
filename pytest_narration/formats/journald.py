"""``journalctl -o json``: fields of the journal, the program's own line in ``MESSAGE``."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Journald"]


class Journald(JsonFormat):
    """For messages that are plain text; a structured ``MESSAGE`` is peeled and read as it is."""

    name: ClassVar[str] = "journald"
    shape: ClassVar[Shape] = Shape(
        human=("MESSAGE",),
        level=("PRIORITY",),
        scale="syslog",
        timestamp=("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"),
        actor=("SYSLOG_IDENTIFIER", "_COMM"),
        service=("_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT"),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 90 if "MESSAGE" in record and "__REALTIME_TIMESTAMP" in record else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        message = flat.get("MESSAGE")
        if isinstance(message, list):  # journald writes text that is no UTF-8 as a list of bytes
            octets = bytes(n for n in message if isinstance(n, int) and 0 <= n < 256)
            flat["MESSAGE"] = octets.decode("utf-8", "replace")
        unit = flat.get("_SYSTEMD_UNIT")
        if isinstance(unit, str):
            flat["_SYSTEMD_UNIT"] = unit.removesuffix(".service")
        flat["host"], flat["pid"] = flat.get("_HOSTNAME"), flat.get("_PID")
        return flat
