"""Events -> nodes: what a story needs of each event, and nothing else.

An event object takes some 1,600 bytes, a node a third of it; equal texts are kept once. The same
event seen twice, on two channels or delivered again, is one node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..event import Event
from .clocks import Clock, clock_of
from .words import placeholders

__all__ = ["CHANNELS", "Intake", "Node"]

CHANNELS = ("stdout", "sse")


class Node(msgspec.Struct, gc=False):
    """One event of a story."""

    service: str
    instance: str | None
    actor: str
    action: str
    level: str
    template: str | None
    text: str
    """What was said; empty where the template and its values say it."""
    values: tuple[Any, ...]
    """Of the template's placeholders, in order."""
    event_id: str | None
    seq: int | None
    cause: tuple[str, ...]
    correlation: str | None
    job: str | None
    parent_job: str | None
    task: str | None
    trace: str | None
    span: str | None
    parent_span: str | None
    clock: Clock | None
    channels: int
    """One bit for each of :data:`CHANNELS`."""
    is_shown: bool

    @property
    def lane(self) -> str:
        """What tells one emitter from another."""
        return self.instance or self.service


class Intake:
    """Takes events in any order and any number of times; see :attr:`nodes`.

    :param mode: ``human``, ``cute`` or ``story``: what is said.
    :param shown: says which events the story shows; the others only order those.
    """

    def __init__(self, mode: str = "human", shown: Callable[[Event], bool] | None = None) -> None:
        self.nodes: list[Node] = []
        self.by_id: dict[str, int] = {}
        """``{event_id: position in nodes}``."""
        self._mode = mode
        self._shown = shown
        self._kept: dict[Any, Any] = {}

    def add(self, event: Event, channel: str = "stdout") -> None:
        """Take one sighting of an event."""
        bit = 1 << CHANNELS.index(channel) if channel in CHANNELS else 0
        event_id = event.event_id
        if event_id is not None:
            known = self.by_id.get(event_id)
            if known is not None:
                self.nodes[known].channels |= bit
                return
            self.by_id[event_id] = len(self.nodes)
        self.nodes.append(self._node(event, bit))

    def _node(self, event: Event, channels: int) -> Node:
        kept = self._kept.setdefault
        said = None if self._mode == "human" else getattr(event, self._mode)
        template = event.template if said is None else None
        parsed = placeholders(template) if template is not None else None
        values = (
            tuple([_plain(event.field(p.name)) for p in parsed if p.name is not None])
            if parsed
            else ()
        )
        clock = clock_of(event) if event.extra else None
        service = event.service or _named(event, clock)
        return Node(
            service=kept(service, service),
            instance=kept(event.instance, event.instance),
            actor=kept(event.actor, event.actor),
            action=kept(event.action, event.action),
            level=kept(event.level, event.level),
            template=kept(template, template) if parsed is not None else None,
            text="" if parsed is not None else (said if said is not None else event.human),
            values=values,
            event_id=event.event_id,
            seq=event.seq,
            cause=tuple(event.cause),
            correlation=kept(event.correlation_id, event.correlation_id),
            job=kept(event.job_id, event.job_id),
            parent_job=kept(event.parent_job_id, event.parent_job_id),
            task=kept(event.task_id, event.task_id),
            trace=kept(event.trace_id, event.trace_id),
            span=kept(event.span_id, event.span_id),
            parent_span=kept(event.parent_span_id, event.parent_span_id),
            clock=clock,
            channels=channels,
            is_shown=self._shown is None or self._shown(event),
        )


def _named(event: Event, clock: Clock | None) -> str:
    """The best name for a service that does not give one."""
    if event.emitted_by:
        return event.emitted_by.rpartition("@")[0] or event.emitted_by
    return event.actor or (clock.host if clock else "unnamed")


def _plain(value: Any) -> Any:
    """Keep scalars; what is nested is said as its JSON, with sorted names."""
    if isinstance(value, (Mapping, list, tuple)):
        return msgspec.json.encode(value, order="deterministic").decode()
    return value
