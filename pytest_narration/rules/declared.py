"""A catalog's points -> where an event may be seen and where it must be; for ``channel-split``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..event import Event
from .evidence import PointLike

__all__ = ["Declared"]

_ANYONE = "*"
"""Any actor or action, as a catalog writes it."""


class Declared:
    """The points of a catalog, looked up by the events that they are.

    An event without a template can be several points; it is for sure only what all of them are.
    """

    def __init__(self, points: Iterable[PointLike]) -> None:
        self._points: dict[tuple[str | None, str, str], list[PointLike]] = {}
        for point in points:
            key = (point.service, point.actor, point.action)
            self._points.setdefault(key, []).append(point)

    def __bool__(self) -> bool:
        return bool(self._points)

    def is_stdout_only(self, event: Event) -> bool:
        """Whether every point that the event can be is declared for stdout only."""
        matching = self._matching(event)
        return bool(matching) and all("sse" not in point.channels for point in matching)

    def is_for_sse(self, event: Event) -> bool:
        """Whether every point that the event can be is declared for SSE."""
        matching = self._matching(event)
        return bool(matching) and all("sse" in point.channels for point in matching)

    def _matching(self, event: Event) -> list[PointLike]:
        return [
            point
            for actor in (event.actor, _ANYONE)
            for action in (event.action, _ANYONE)
            for point in self._points.get((event.service, actor, action), ())
            if _is_said_by(event, point)
        ]


def _is_said_by(event: Event, point: PointLike) -> bool:
    # A template that is the text was filled in by the caller before, and is matched as text.
    if event.template not in (None, event.human) and point.human:
        return event.template == point.human
    pattern = getattr(point, "pattern", None)
    if pattern is not None:
        return re.fullmatch(pattern, event.human) is not None
    first, *rest = (re.escape(part) for part in re.split(r"\{[^{}]*\}", point.human))
    # Each literal is taken where it comes first, so that the time is linear in the text.
    tail = "".join(f"(?>.*?{literal})" for literal in rest[:-1]) + (f".*{rest[-1]}" if rest else "")
    return re.fullmatch(first + tail, event.human, re.DOTALL) is not None
