"""bunyan: pino's levels, ISO times, and ``"v": 0`` in every record."""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Bunyan"]


class Bunyan(JsonFormat):
    """``name`` is the application: it names the service, and the actor unless a component does."""

    name: ClassVar[str] = "bunyan"
    shape: ClassVar[Shape] = Shape(
        human=("msg",),
        level=("level",),
        scale="bunyan",
        timestamp=("time",),
        actor=("component", "name"),
        error=("err.stack",),
        noise=("v",),
    )

    def score(self, record: dict[str, Any]) -> int:
        known = all(name in record for name in ("v", "name", "level", "msg", "hostname"))
        return 90 if known else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"service": record.get("name")} | record
