"""Sightings of events in arrival order, with an index per column that queries ask for.

The recorder appends under its lock; queries read prefixes, which never change. Columns instead of
record objects: a record costs 24 bytes here beside its event, and is made when it is read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from ..event import Event
from .records import Origin, Record
from .shelf import Shelf
from .where import Where

__all__ = ["EventLog"]


class _Positions(dict[str | None, "array[int]"]):
    """``{value: positions}``; a value of its own is made when one is first added to."""

    def __missing__(self, value: str | None) -> array[int]:
        made = self[value] = array("I")
        return made


class EventLog:
    """Append-only columns of sightings."""

    def __init__(self) -> None:
        self._events = Shelf()
        self._origins: list[Origin] = []
        self._at = array("d")
        self._index = array("q")
        self._correlations = _Positions()
        self._jobs = _Positions()
        self._instances = _Positions()
        self._actions = _Positions()
        self._services = _Positions()
        self._positions = {
            "correlation_id": self._correlations,
            "job_id": self._jobs,
            "instance": self._instances,
            "action": self._actions,
            "service": self._services,
        }

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event, origin: Origin, index: int, at: float) -> None:
        """Add one sighting; ``index`` is greater than every one before, ``origin`` is shared."""
        position = len(self._events)
        self._events.append(event)
        self._origins.append(origin)
        self._at.append(at)
        self._index.append(index)
        # Spelt out: this runs for every captured line, and a loop over names doubles its cost.
        self._correlations[event.correlation_id].append(position)
        self._jobs[event.job_id].append(position)
        self._instances[event.instance].append(position)
        self._actions[event.action].append(position)
        self._services[event.service].append(position)

    def extend(self, events: Sequence[Event], origin: Origin, index: int, at: float) -> None:
        """Add sightings that came at one time from one place; ``index`` is that of the first."""
        position = len(self._events)
        self._events.extend(events)
        self._origins += [origin] * len(events)
        self._at.extend(array("d", [at]) * len(events))
        self._index.extend(range(index, index + len(events)))
        correlations, jobs, instances = self._correlations, self._jobs, self._instances
        actions, services = self._actions, self._services
        for event in events:
            correlations[event.correlation_id].append(position)
            jobs[event.job_id].append(position)
            instances[event.instance].append(position)
            actions[event.action].append(position)
            services[event.service].append(position)
            position += 1

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
        for name, positions in self._positions.items():
            value = where.conditions.get(name)
            if isinstance(value, str):
                found = positions.get(value, _NOWHERE)
                if shortest is None or len(found) < len(shortest):
                    shortest = found
        if shortest is None:
            return range(start, stop)
        return shortest[bisect_left(shortest, start) : bisect_left(shortest, stop)]

    def records(self, where: Where, positions: Iterable[int]) -> Iterator[Record]:
        """Yield the sightings at some positions, but for those whose origin is another one."""
        if not where.on_origin:
            yield from map(self.record, positions)
            return
        origins = self._origins
        fits: dict[Origin, bool] = {}
        for position in positions:
            origin = origins[position]
            fit = fits.get(origin)
            if fit is None:
                fit = fits[origin] = where.may_be_from(origin)
            if fit:
                yield self.record(position)

    def concerning(self, wheres: Sequence[Where] | None, start: int, stop: int) -> Sequence[int]:
        """Return positions that may meet one of the conditions, ascending; all for ``None``."""
        if wheres is None or stop - start < _WORTH_NARROWING:
            return range(start, stop)
        found: set[int] = set()
        for where in wheres:
            positions = self.candidates(where, start, stop)
            if isinstance(positions, range):
                return positions
            found.update(positions)
        return sorted(found)

    def values(self, column: str) -> list[str]:
        """Return the values seen in an indexed column, in order of first sight."""
        return [value for value in self._positions[column] if value is not None]

    def count(self, column: str, value: str) -> int:
        """Return how many sightings have the value in an indexed column."""
        return len(self._positions[column].get(value, _NOWHERE))


_WORTH_NARROWING = 64
"""Fewer records are matched sooner than looked up."""

_NOWHERE: array[int] = array("I")
