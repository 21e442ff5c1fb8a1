""".NET: Serilog's compact format (CLEF), Serilog's ``JsonFormatter`` and the JSON console.

https://clef-json.org
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from .compose import Shape
from .field_map import find
from .format import JsonFormat

__all__ = ["Clef", "DotnetConsole", "SerilogJson"]

_HOLE = re.compile(r"\{[@$]?(\w+)(?:,-?\d+)?(?::[^{}]*)?\}")


class Clef(JsonFormat):
    """``{"@t":…,"@mt":"Order {OrderId} placed","@l":"Warning","OrderId":7,"@tr":…}``."""

    name: ClassVar[str] = "clef"
    shape: ClassVar[Shape] = Shape(
        human=("@m",),
        template=("@mt",),
        level=("@l",),
        timestamp=("@t",),
        actor=("SourceContext",),
        error=("@x",),
        noise=("@r",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 95 if "@t" in record and ("@mt" in record or "@m" in record) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        for short, name in (("@tr", "trace_id"), ("@sp", "span_id"), ("@ps", "parent_span_id")):
            if short in flat:
                flat.setdefault(name, flat.pop(short))
        # Doubling escapes an @ at the start of a property's own name.
        for name in [name for name in flat if name.startswith("@@")]:
            flat[name[1:]] = flat.pop(name)
        if "@m" not in flat and isinstance(flat.get("@mt"), str):
            flat["@m"] = _fill(flat["@mt"], flat)
        return flat


class SerilogJson(JsonFormat):
    """``{"Timestamp":…,"Level":"Information","MessageTemplate":…,"Properties":{…}}``."""

    name: ClassVar[str] = "serilog"
    shape: ClassVar[Shape] = Shape(
        human=("RenderedMessage",),
        template=("MessageTemplate",),
        level=("Level",),
        timestamp=("Timestamp",),
        actor=("SourceContext",),
        error=("Exception",),
        open=("Properties",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 90 if "MessageTemplate" in record and "Level" in record else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        values = record.get("Properties")
        template = record["MessageTemplate"]
        if "RenderedMessage" in record or not isinstance(template, str):
            return record
        return record | {
            "RenderedMessage": _fill(template, values if isinstance(values, dict) else {})
        }


class DotnetConsole(JsonFormat):
    """``{"Timestamp":…,"EventId":0,"LogLevel":"Information","Category":…,"Message":…}``."""

    name: ClassVar[str] = "dotnet"
    shape: ClassVar[Shape] = Shape(
        human=("Message",),
        template=("State.{OriginalFormat}",),
        level=("LogLevel",),
        timestamp=("Timestamp",),
        actor=("Category",),
        error=("Exception",),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 90 if "LogLevel" in record and "Category" in record else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = dict(record)
        state = flat.get("State")
        template = find(record, "State.{OriginalFormat}")
        if isinstance(template, str):
            flat["template"] = template
        if isinstance(state, dict):
            del flat["State"]
            for key, value in state.items():
                if key not in {"Message", "{OriginalFormat}"}:
                    flat.setdefault(key, value)
        scopes = flat.get("Scopes")
        for scope in scopes if isinstance(scopes, list) else []:
            for key, value in scope.items() if isinstance(scope, dict) else ():
                if key not in {"Message", "{OriginalFormat}"}:
                    flat.setdefault(key, value)
        return flat


def _fill(template: str, values: dict[str, Any]) -> str:
    """Write the values into a message template; what has no value stays as it is."""

    def value_of(hole: re.Match[str]) -> str:
        value = values.get(hole[1])
        return hole[0] if value is None else str(value)

    return _HOLE.sub(value_of, template)
