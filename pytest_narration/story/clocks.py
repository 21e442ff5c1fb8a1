"""Vector clocks in foreign events -> happens-before.

Systems that were built for distributed tracing of their own (ShiViz, GoVector, many teaching
systems and databases) print a vector clock with each line, ``{"clock": {"A": 3, "B": 1}}``: the
third event of A, which has heard of B's first (Fidge 1988, Mattern 1989).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..event import Event

__all__ = ["Clock", "clock_of", "clock_order"]

_NAMES = ("vector_clock", "vectorClock", "vclock", "clock")


class Clock(NamedTuple):
    """Whose event it is, and how many events of each emitter it has heard of, itself included."""

    host: str
    heard: tuple[tuple[str, int], ...]


class _Clocked(Protocol):
    @property
    def clock(self) -> Clock | None: ...


def clock_of(event: Event) -> Clock | None:
    """Return the event's vector clock, if it has one that names its emitter."""
    for name in _NAMES:
        heard = event.extra.get(name)
        if isinstance(heard, Mapping) and heard and all(_counts(k, v) for k, v in heard.items()):
            candidates = (event.extra.get("host"), event.instance, event.service, event.actor)
            host = next((c for c in candidates if isinstance(c, str) and c in heard), None)
            if host is not None:
                return Clock(host, tuple(sorted(heard.items())))
    return None


def clock_order(nodes: Sequence[_Clocked]) -> Iterator[tuple[int, int]]:
    """Yield ``(earlier, later)`` positions: only what an event heard since its emitter's last."""
    at: dict[tuple[str, int], int] = {}
    for position, node in enumerate(nodes):
        if node.clock is not None:
            at[node.clock.host, dict(node.clock.heard)[node.clock.host]] = position
    for position, node in enumerate(nodes):
        if node.clock is None:
            continue
        heard = dict(node.clock.heard)
        before = at.get((node.clock.host, heard[node.clock.host] - 1))
        known: dict[str, int] = {}
        if before is not None:
            yield before, position
            earlier = nodes[before].clock
            assert earlier is not None, "only events with a clock are in the table"
            known = dict(earlier.heard)
        for host, count in heard.items():
            if host != node.clock.host and count > known.get(host, 0):
                source = at.get((host, count))
                if source is not None:
                    yield source, position


def _counts(name: object, count: object) -> bool:
    return isinstance(name, str) and type(count) is int
