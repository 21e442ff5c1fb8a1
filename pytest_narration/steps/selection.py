"""``the event "checkout" of "cart" with "items" = 2`` -> conditions on an event.

Nearly every phrase about narration speaks of events in these words, so they are one parameter
type: what is said of events is learnt once. Qualifiers come in this order and each may be left out:
the action or ``saying`` a text, ``of`` a service, ``by`` an actor, ``at level``, ``with`` fields,
``for the request`` or ``for the job``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import StepMistake
from ..event import LEVELS
from .values import LITERAL, REGEX, STRING, literal, quoted

__all__ = ["ARTICLE", "SELECTION", "Selection", "selection"]

_FIELD = rf"{STRING} = {LITERAL}"
_TAIL = (
    rf"(?: of {STRING})?(?: by {STRING})?(?: at level {STRING}(?: or above)?)?"
    rf"(?: with {_FIELD}(?:, {_FIELD})*)?(?: for the (?:request|job))?"
)
SELECTION = rf"(?:events?(?: {STRING})?(?: saying (?:{STRING}|{REGEX}))?|points? {STRING}){_TAIL}"
"""Regular expression of a description, without groups."""
ARTICLE = rf"(?:the|an|a|any) {SELECTION}"

_READ = re.compile(
    rf"(?:(?:the|an|a|any) )?(?:points? (?P<point>{STRING})"
    rf"|events?(?: (?P<action>{STRING}))?(?: saying (?P<saying>{STRING}|{REGEX}))?)"
    rf"(?: of (?P<service>{STRING}))?(?: by (?P<actor>{STRING}))?"
    rf"(?: at level (?P<level>{STRING})(?P<above> or above)?)?"
    rf"(?: with (?P<fields>{_FIELD}(?:, {_FIELD})*))?(?: for the (?P<scope>request|job))?"
)


@dataclass(frozen=True)
class Selection:
    """A description of events; what is ``None`` or empty does not matter."""

    text: str
    """As it is written."""
    action: str | None = None
    saying: str | re.Pattern[str] | None = None
    """A part of the sentence, or an expression that is found in it."""
    point: str | None = None
    """Id of a point of the catalog."""
    service: str | None = None
    actor: str | None = None
    levels: tuple[str, ...] = ()
    fields: tuple[tuple[str, Any], ...] = ()
    scope: str | None = None
    """``request`` or ``job``: of the scenario's latest one only."""

    def filled(self, fill: Callable[[str], str]) -> Selection:
        """Return the description with saved values put into its texts."""

        def each(value: Any) -> Any:
            return fill(value) if isinstance(value, str) else value

        return replace(
            self,
            text=fill(self.text),
            action=each(self.action),
            saying=each(self.saying),
            point=each(self.point),
            service=each(self.service),
            actor=each(self.actor),
            fields=tuple((each(name), each(value)) for name, value in self.fields),
        )

    def __str__(self) -> str:
        return self.text


def selection(text: str) -> Selection:
    """Read a description of the form :data:`SELECTION`, with or without its article.

    :raises StepMistake: the level does not exist, or an expression is none.
    """
    match = _READ.fullmatch(text)
    if match is None:
        raise StepMistake(
            f"{text!r} describes no events; write, for example, "
            'the event "checkout" of "cart" with "items" = 2'
        )
    fields = re.findall(rf"({STRING}) = ({LITERAL})", match["fields"] or "")
    return Selection(
        text=text,
        action=_text(match["action"]),
        saying=literal(match["saying"]) if match["saying"] else None,
        point=_text(match["point"]),
        service=_text(match["service"]),
        actor=_text(match["actor"]),
        levels=_levels(_text(match["level"]), above=bool(match["above"])),
        fields=tuple((quoted(name), literal(value)) for name, value in fields),
        scope=match["scope"],
    )


def _text(found: str | None) -> str | None:
    return None if found is None else quoted(found)


def _levels(name: str | None, *, above: bool) -> tuple[str, ...]:
    if name is None:
        return ()
    if name not in LEVELS:
        raise StepMistake(f"{name!r} is no level; levels are: {', '.join(LEVELS)}")
    return LEVELS[LEVELS.index(name) :] if above else (name,)
