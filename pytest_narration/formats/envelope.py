"""The nested domain-event envelope: ``{event_name, occurred_at, correlation, actor, payload}``."""

from __future__ import annotations

from typing import Any, ClassVar

from ..event import Event
from .compose import Shape, compose, text_of
from .field_map import FieldMap, find
from .format import Format

__all__ = ["Envelope"]


class Envelope(Format):
    """Ids in ``correlation``, the emitter in ``actor``, what it is about in ``payload``."""

    name: ClassVar[str] = "envelope"
    shape: ClassVar[Shape] = Shape(
        human=(
            "human", "message", "description", "summary",
            "payload.human", "payload.message", "payload.description", "payload.summary",
        ),
        level=("severity", "level"),
        timestamp=("occurred_at",),
        action=("event_name",),
    )  # fmt: skip

    def score(self, record: dict[str, Any]) -> int:
        return 92 if "event_name" in record and "occurred_at" in record else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        flat = dict(record)
        who = flat.pop("actor", None)
        said: dict[str, Any] = {}
        if isinstance(who, dict):
            service = _first(who, "service_name", "service")
            version = _first(who, "service_version", "version")
            said = {
                "service": service,
                "actor": _first(who, "component", "name", "actor_name", "role") or service,
                "instance": _first(who, "instance_id", "instance", "host", "pod"),
                "emitted_by": f"{service}@{version}" if service and version else None,
                "worker_id": _first(who, "worker_id"),
                "node_id": _first(who, "node_id"),
            }
            flat["actor"] = who  # kept: ids of people and roles are the reader's business
        elif isinstance(who, str):
            said["actor"] = who
        said["event_id"] = text_of(flat.pop("event_id", None))
        cause = _first(record, "causation_id") or text_of(find(record, "correlation.causation_id"))
        said["cause"] = (cause,) if cause else None
        for name in ("version", "schema_version", "event_version"):
            if isinstance(flat.get(name), int):
                said.setdefault("schema_version", flat.pop(name))
        return compose(flat, self.shape, fields, written=record, **said)


def _first(record: dict[str, Any], *names: str) -> str | None:
    for name in names:
        if value := text_of(record.get(name)):
            return value
    return None
