"""Rust's tracing-subscriber, JSON formatter, nested or flattened.

The ids of a request are fields of its spans: those of the current span come first, then those of
its parents from the innermost outwards.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["TracingSubscriber"]


class TracingSubscriber(JsonFormat):
    """``{"timestamp":…,"level":"INFO","fields":{"message":…},"target":"app::db","span":{…}}``."""

    name: ClassVar[str] = "tracing"
    shape: ClassVar[Shape] = Shape(
        human=("message",),
        level=("level",),
        timestamp=("timestamp",),
        actor=("target",),
        open=("fields",),
    )

    def score(self, record: dict[str, Any]) -> int:
        if "target" not in record or not isinstance(record.get("level"), str):
            return 0
        if isinstance(record.get("fields"), dict):
            return 90
        flattened = (
            ("message" in record or "span" in record)
            and "timestamp" in record
            and record["level"].isupper()
        )
        return 65 if flattened else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        file = flat.get("filename")
        if isinstance(file, str) and isinstance(flat.get("line_number"), int):
            flat["source_location"] = f"{file.rpartition('/')[2]}:{flat['line_number']}"
        spans = flat.pop("spans", None)
        around = [flat.pop("span", None), *reversed(spans if isinstance(spans, list) else [])]
        names = [span["name"] for span in around if isinstance(span, dict) and "name" in span]
        if names:
            flat["span_name"] = names[0]
        inner = flat.get("fields")
        fields: dict[str, Any] = inner if isinstance(inner, dict) else {}
        for span in around:
            if isinstance(span, dict):
                for key, value in span.items():
                    if key != "name" and key not in flat and key not in fields:
                        flat[key] = value
        return flat
