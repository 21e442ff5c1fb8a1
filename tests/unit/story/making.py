"""Makes events of concurrent systems for the story's tests, as emitters would: seq, causes, ids."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pytest_narration.event import Event


@dataclass
class World:
    """A system that narrates; its ids are fresh, its structure is what the test says."""

    seed: int = 0
    events: list[Event] = field(default_factory=list)
    _seqs: dict[str, int] = field(default_factory=dict)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def id(self) -> str:
        """Return a fresh UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def say(self, service: str, action: str, template: str = "", /, **fields: Any) -> Event:
        """Narrate; `instance` defaults to one of the service."""
        instance = fields.pop("instance", f"{service}-{self.seed}")
        seq = self._seqs[instance] = self._seqs.get(instance, 0) + 1
        columns = {name: v for name, v in fields.items() if name in Event.__struct_fields__}
        extra = {name: v for name, v in fields.items() if name not in columns}
        words = template or f"Did {action}"
        values = {
            "event_id": self.id(),
            "service": service,
            "instance": instance,
            "seq": seq,
            "actor": service,
            "action": action,
            "template": words,
            "human": words,
            "extra": extra,
        }
        event = Event(**(values | columns))
        self.events.append(event)
        return event


def cause(*events: Event) -> tuple[str, ...]:
    """Return the ids of events, to be named as causes."""
    return tuple(str(event.event_id) for event in events)


def renamed(events: list[Event], seed: int) -> list[Event]:
    """Return the same events with all ids fresh, seqs stretched and clocks anywhere."""
    chance = random.Random(seed)
    names: dict[str, str] = {}

    def fresh(value: str | None) -> str | None:
        if value is None:
            return None
        return names.setdefault(value, str(uuid.UUID(int=chance.getrandbits(128), version=4)))

    def stretched(event: Event) -> int | None:
        return None if event.seq is None else event.seq * 3 + stretch[event.instance or ""]

    stretch = {str(e.instance): chance.randrange(1000) for e in events}
    result = []
    for event in events:
        extra = {
            name: fresh(value) if name.endswith("_id") else value
            for name, value in event.extra.items()
        }
        result.append(
            msgspec.structs.replace(
                event,
                event_id=fresh(event.event_id),
                instance=fresh(event.instance),
                seq=stretched(event),
                correlation_id=fresh(event.correlation_id),
                job_id=fresh(event.job_id),
                parent_job_id=fresh(event.parent_job_id),
                worker_id=fresh(event.worker_id),
                task_id=fresh(event.task_id),
                span_id=fresh(event.span_id),
                parent_span_id=fresh(event.parent_span_id),
                cause=tuple(str(fresh(c)) for c in event.cause),
                timestamp=f"20{chance.randrange(10, 99)}-01-01T00:00:00.000Z",
                extra=extra,
            )
        )
    return result
