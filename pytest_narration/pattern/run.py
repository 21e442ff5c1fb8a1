"""One matching of a pattern: decides what each record is to it, then moves the steps.

The recorder feeds it. Every condition is judged once per record however often it occurs in the
pattern, and records that meet none cost no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..recorder import Record, Silence, State, Where
from .steps import Step

__all__ = ["Run"]


class Run:
    """Feeds steps with records, the second sighting of an event left out.

    An event that is seen on stdout and on SSE has happened once: its second sighting counts only
    for conditions that name a channel, source or stream.
    """

    def __init__(self, leaves: Iterable[Where], step: Step) -> None:
        self._leaves = tuple(dict.fromkeys(leaves))
        self._step = step
        self._seen: set[str] = set()
        self._sightings: set[tuple[str, str, str, str | None]] = set()
        self._tells_sightings = any(where.on_origin for where in self._leaves)

    def concerns(self) -> tuple[Where, ...]:
        return self._leaves

    def feed(self, record: Record) -> None:
        hits = {where for where in self._leaves if where.matches(record)}
        if hits and (event_id := record.event.event_id) is not None:
            hits = self._fresh(event_id, record, hits)
        if hits:
            self._step.feed(record, hits)

    def _fresh(self, event_id: str, record: Record, hits: set[Where]) -> set[Where]:
        is_first = event_id not in self._seen
        self._seen.add(event_id)
        if not self._tells_sightings:
            return hits if is_first else set()
        sighting = (event_id, record.channel, record.source, record.stream)
        if sighting in self._sightings:
            return set()
        self._sightings.add(sighting)
        return hits if is_first else {where for where in hits if where.on_origin}

    @property
    def state(self) -> State:
        return self._step.state

    @property
    def records(self) -> tuple[Record, ...]:
        return self._step.records

    def tick(self, now: float) -> None:
        if self._step.is_open:
            self._step.tick(now)

    def deadline(self) -> float | None:
        return self._step.deadline()

    def finish(self) -> None:
        if self._step.is_open:
            self._step.finish()

    def remaining(self) -> str:
        return self._step.remaining()

    def reason(self) -> str:
        return self._step.reason

    def awaited(self) -> list[Where]:
        return self._step.awaited()

    def is_hopeless(self, silence: Silence) -> bool:
        return self._step.is_hopeless(silence)
