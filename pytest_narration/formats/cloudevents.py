"""CloudEvents 1.0, JSON format: the event's type is what happened, its source who did it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..event import Event
from .compose import Shape, compose
from .field_map import FieldMap, find
from .format import Format

__all__ = ["CloudEvents"]

_UNIQUE_ALONE = 12
"""An id is unique within its source only; from this length it is a UUID or the like."""


class CloudEvents(Format):
    """``{"specversion":"1.0","id":…,"source":"/shop","type":"order.placed","data":{…}}``."""

    name: ClassVar[str] = "cloudevents"
    shape: ClassVar[Shape] = Shape(
        human=("data.message", "data.human", "data.description"),
        level=("severity", "severitytext", "data.level", "data.severity"),
        timestamp=("time",),
        actor=("source",),
        action=("type",),
        noise=("specversion", "datacontenttype", "dataschema"),
    )

    def score(self, record: dict[str, Any]) -> int:
        return 96 if {"specversion", "id", "source", "type"} <= record.keys() else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        flat = dict(record)
        event_id, subject = flat.pop("id"), flat.pop("subject", None)
        if not isinstance(event_id, str) or not event_id:
            event_id = None
        elif len(event_id) < _UNIQUE_ALONE:
            event_id = f"{record['source']}#{event_id}"
        target = subject if isinstance(subject, str) else None
        inner = find(record, "data.service")
        service = inner if isinstance(inner, str) else None
        return compose(
            flat, self.shape, fields, written=record,
            event_id=event_id, target=target, service=service,
        )  # fmt: skip
