"""loguru with ``serialize=True``: ``{"text": …, "record": {…}}``."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Loguru"]


class Loguru(JsonFormat):
    """The text repeats the record in one line, so only the record is read."""

    name: ClassVar[str] = "loguru"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("level.name", "level.no"),
        scale="python",
        timestamp=("time.timestamp", "time.repr"),
        actor=("name",),
        open=("extra",),
    )

    def score(self, record: dict[str, Any]) -> int:
        inner = record.get("record")
        return 95 if isinstance(inner, dict) and "message" in inner and "level" in inner else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat: dict[str, Any] = dict(record["record"])
        process, file, failure = flat.get("process"), flat.get("file"), flat.get("exception")
        if isinstance(process, dict):
            flat["pid"] = process.get("id")
        if isinstance(file, dict) and isinstance(flat.get("line"), int):
            flat["source_location"] = f"{file.get('name')}:{flat['line']}"
        if isinstance(failure, dict):
            flat["error_kind"] = failure.get("type")
            flat["stack_trace"] = record.get("text")
        elif failure is None:
            flat.pop("exception", None)
        return flat
