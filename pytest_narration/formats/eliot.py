"""eliot: actions that start and end, and messages within them, numbered by a path.

``task_uuid`` and ``task_level`` together name a message for ever, across processes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from ..event import Event
from .compose import Shape, compose
from .field_map import FieldMap
from .format import Format

__all__ = ["Eliot"]


class Eliot(Format):
    """``{"task_uuid":…,"task_level":[2,1],"action_type":…,"action_status":"started"}``."""

    name: ClassVar[str] = "eliot"
    shape: ClassVar[Shape] = Shape(human=("message",), timestamp=("timestamp",))

    def score(self, record: dict[str, Any]) -> int:
        return 96 if "task_uuid" in record and "task_level" in record else 0

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        flat = dict(record)
        task, level = flat.pop("task_uuid"), flat.pop("task_level")
        kind = flat.pop("action_type", None) or flat.pop("message_type", None)
        kind = kind if isinstance(kind, str) and kind else "message"
        status = flat.pop("action_status", None)
        path = "/".join(str(step) for step in level) if isinstance(level, list) else str(level)
        flat["task_level"] = path
        sentence = kind if not isinstance(status, str) else f"{kind} {status}"
        said: dict[str, Any] = {"action": sentence.replace(" ", ":")}
        if not isinstance(flat.get("message"), str):
            said["human"] = sentence
        if status == "failed":
            failure = flat.get("exception")
            said |= {"level": "error"}
            if isinstance(failure, str):
                said["error_kind"] = failure.rpartition(".")[2]
        event = compose(flat, self.shape, fields, written=record, **said)
        if isinstance(task, str) and task:
            replaced = {"event_id": f"{task}@/{path}"}
            if event.correlation_id is None:
                # The task crosses processes with its work, as a correlation id does.
                replaced["correlation_id"] = task
            event = msgspec.structs.replace(event, **replaced)
        return event
