"""Sightings of events in arrival order, with an index per column that queries ask for.

The recorder appends under its lock; queries read prefixes, which never change. Columns instead of
record objects: a record costs 24 bytes here beside its event, and is made when it is read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from ..event import Channel, Event
from .records import Record
from .where import Where

__all__ = ["INDEXED", "EventLog", "Origin"]

Origin = tuple[Channel, str, str | None]
"""Channel, source and stream of a sighting; few distinct ones, so they are shared."""

INDEXED = ("correlation_id", "job_id", "instance", "action", "service")
"""Columns with an index: the request, the job, the emitter, the point."""


class EventLog:
    """Append-only columns of sightings."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._origins: list[Origin] = []
        self._at = array("d")
        self._index = array("q")
        self._known_origins: dict[Origin, Origin] = {}
        self._positions: dict[str, dict[str, array[int]]] = {name: {} for name in INDEXED}
        by = self._positions
        self._correlations, self._jobs = by["correlation_id"], by["job_id"]
        self._instances, self._actions, self._services = (
            by["instance"],
            by["action"],
            by["service"],
        )

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event, origin: Origin, index: int, at: float) -> None:
        """Add one sighting; ``index`` is greater than every one before."""
        position = len(self._events)
        self._events.append(event)
        self._origins.append(self._known_origins.setdefault(origin, origin))
        self._at.append(at)
        self._index.append(index)
        # Spelt out: this runs for every captured line, and a loop over names doubles its cost.
        for positions, key in (
            (self._correlations, event.correlation_id),
            (self._jobs, event.job_id),
            (self._instances, event.instance),
            (self._actions, event.action),
            (self._services, event.service),
        ):
            if key is None:
                continue
            found = positions.get(key)
            if found is None:
                positions[key] = array("I", (position,))
            else:
                found.append(position)

    def record(self, position: int) -> Record:
        """Return the sighting at a position from 0."""
        channel, source, stream = self._origins[position]
        return Record(
            self._events[position],
            self._index[position],
            self._at[position],
            channel,
            source,
            stream,
        )

    def position(self, mark: int) -> int:
        """Return the position of the first sighting whose index is at least ``mark``."""
        return bisect_left(self._index, mark)

    def candidates(self, where: Where, start: int, stop: int) -> Sequence[int]:
        """Return positions that may meet ``where``, ascending, by the most selective index."""
        shortest: array[int] | None = None
        for name in INDEXED:
            value = where.conditions.get(name)
            if isinstance(value, str):
                found = self._positions[name].get(value, _NOWHERE)
                if shortest is None or len(found) < len(shortest):
                    shortest = found
        if shortest is None:
            return range(start, stop)
        return shortest[bisect_left(shortest, start) : bisect_left(shortest, stop)]

    def values(self, column: str) -> list[str]:
        """Return the values seen in an indexed column, in order of first sight."""
        return list(self._positions[column])

    def count(self, column: str, value: str) -> int:
        """Return how many sightings have the value in an indexed column."""
        return len(self._positions[column].get(value, _NOWHERE))


_NOWHERE: array[int] = array("I")
