"""Records of a scenario -> which of two came first, although their lines arrive in any order.

Lines of different services come through different pipes, so arrival says little. First counts what
a story's order rests on: the numbers of an emitter's lines within one job, causes and spans. Then
the order of one source's own output, then the services' timestamps, and arrival last. A timestamp
of whole seconds is taken to be no finer: within its second it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..pattern.clock import moment
from ..recorder import Record
from ..story.links import link
from ..story.nodes import Intake

__all__ = ["Chronology"]


class Chronology:
    """The order of what came so far; make another one when more has come."""

    def __init__(self, records: Sequence[Record]) -> None:
        intake = Intake()
        self._positions: dict[int, int] = {}
        for record in records:
            before = len(intake.nodes)
            intake.add(record.event, record.channel)
            event_id = record.event.event_id
            position = before if event_id is None else intake.by_id[event_id]
            self._positions[record.index] = position
        self._after = link(intake.nodes, intake.by_id).after
        self._reached: dict[int, set[int]] = {}

    def precedes(self, one: Record, other: Record) -> bool:
        """Whether the first record's event happened before the other's."""
        return self._judged(one, other)[0]

    def basis(self, one: Record, other: Record) -> str:
        """Say what the order of two records rests on."""
        return self._judged(one, other)[1]

    def _judged(self, one: Record, other: Record) -> tuple[bool, str]:
        first, second = self._positions[one.index], self._positions[other.index]
        if first == second:
            return False, "they are one event"
        forwards, backwards = second in self._from(first), first in self._from(second)
        if forwards or backwards:
            return forwards, "by the numbers of the lines and the causes that they name"
        if (one.source, one.channel) == (other.source, other.channel):
            return one.index < other.index, "by their order in one output"
        begun, ended = _told(one), _told(other)
        if begun is not None and ended is not None and not _within_one_second(begun, ended):
            times = f"{one.event.timestamp} and {other.event.timestamp}"
            return begun < ended, f"by their timestamps, {times}"
        return one.index < other.index, "by arrival: nothing that the services say orders them"

    def is_chain(self, records: Sequence[Record]) -> bool:
        """Whether each record's event happened before the next one's."""
        return all(self.precedes(one, other) for one, other in pairwise(records))

    def chain(self, steps: Sequence[Sequence[Record]]) -> list[Record] | None:
        """Return one record of each step, each before the next one's; ``None`` when there are none.

        :param steps: the candidates for each place.
        """
        ways: list[list[tuple[Record, Record | None]]] = []
        for candidates in steps:
            if not ways:
                ways.append([(record, None) for record in candidates])
                continue
            reached = [
                (record, before)
                for record in candidates
                if (before := self._before(record, [r for r, _ in ways[-1]])) is not None
            ]
            ways.append(list(reached))
        if not all(ways):
            return None
        found: list[Record] = []
        record: Record | None = ways[-1][0][0]
        for way in reversed(ways):
            assert record is not None, "each step but the first has one before it"
            found.append(record)
            record = next(before for r, before in way if r is record)
        return found[::-1]

    def _before(self, record: Record, candidates: Sequence[Record]) -> Record | None:
        return next((c for c in candidates if self.precedes(c, record)), None)

    def _from(self, position: int) -> set[int]:
        """Return everything that comes after a position by links."""
        known = self._reached.get(position)
        if known is None:
            known = self._reached[position] = set()
            left = [position]
            while left:
                for following in self._after[left.pop()]:
                    if following not in known:
                        known.add(following)
                        left.append(following)
        return known


def _within_one_second(one: float, other: float) -> bool:
    """Whether two times cannot be told apart: equal, or one of them a whole second's name."""
    is_coarse = one.is_integer() or other.is_integer()
    return int(one) == int(other) if is_coarse else one == other


def _told(record: Record) -> float | None:
    """Return when the emitter says that it happened."""
    try:
        return moment(record, "timestamp")
    except ValueError:
        return None
