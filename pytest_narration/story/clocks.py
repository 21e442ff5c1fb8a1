"""Vector clocks in foreign events -> happens-before.

Systems that were built for distributed tracing of their own (ShiViz, GoVector, many teaching
systems and databases) print a vector clock with each line, ``{"clock": {"A": 3, "B": 1}}``: the
third event of A, which has heard of B's first (Fidge 1988, Mattern 1989). Not every event is
logged, and not every log is whole: the latest line that was heard of stands for what is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import msgspec

from ..event import Event

__all__ = ["Clock", "clock_of", "clock_order"]

_NAMES = ("vector_clock", "vectorClock", "vclock", "clock", "VCString")
_HOSTS = ("host", "processId")
"""Where ShiViz's and GoVector's logs say whose clock it is."""


class Clock(NamedTuple):
    """Whose event it is, and how many events of each emitter it has heard of, itself included."""

    host: str
    heard: tuple[tuple[str, int], ...]

    @property
    def own(self) -> int:
        """The number of the event among its emitter's."""
        return next(count for host, count in self.heard if host == self.host)


class _Clocked(Protocol):
    @property
    def clock(self) -> Clock | None: ...

    @property
    def seq(self) -> int | None: ...


def clock_of(event: Event) -> Clock | None:
    """Return the event's vector clock, if it has one that names its emitter."""
    for name in _NAMES:
        heard = _heard(event.extra.get(name))
        if heard:
            said = (event.extra.get(name) for name in _HOSTS)
            candidates = (*said, event.instance, event.service, event.actor)
            host = next((c for c in candidates if isinstance(c, str) and c in heard), None)
            if host is not None:
                return Clock(host, tuple(sorted(heard.items())))
    return None


def _heard(value: Any) -> Mapping[str, int]:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return {}
    if not isinstance(value, Mapping):
        return {}
    return value if all(isinstance(k, str) and type(v) is int for k, v in value.items()) else {}


def clock_order(nodes: Sequence[_Clocked]) -> Iterator[tuple[int, int]]:
    """Yield ``(earlier, later)`` positions: only what an event heard since its emitter's last."""
    lines = _lines(nodes)
    numbers = {host: [number for number, _ in found] for host, found in lines.items()}
    for host, found in lines.items():
        yield from pairwise([position for _, position in found])
        known: dict[str, int] = {}
        for _, position in found:
            clock = nodes[position].clock
            assert clock is not None, "only events with a clock have a line"
            for other, count in clock.heard:
                if other == host or count <= known.get(other, 0):
                    continue
                known[other] = count
                latest = bisect_right(numbers.get(other, ()), count) - 1
                if latest >= 0:
                    yield lines[other][latest][1], position


def _lines(nodes: Sequence[_Clocked]) -> dict[str, list[tuple[int, int]]]:
    """Return each emitter's events as ``(number, position)``, in its order.

    Several lines of one number were printed in a row: by ``seq`` if they have it, as they arrived
    otherwise.
    """
    lines: dict[str, list[tuple[int, int]]] = {}
    for position, node in enumerate(nodes):
        if node.clock is not None:
            lines.setdefault(node.clock.host, []).append((node.clock.own, position))
    for found in lines.values():
        found.sort(key=lambda line: (line[0], nodes[line[1]].seq or 0, line[1]))
    return lines
