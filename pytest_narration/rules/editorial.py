"""``editorial``: narration is short, and says why something failed. A warning, not an error.

Judged per point: events with the same template that break the style alike are one violation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..event import Event
from .facts import Facts
from .registry import rule
from .verdict import Finding, Violation
from .words import between, line, plural, quoted, who

__all__ = ["editorial"]

_VAGUE = re.compile(
    r"\W*(an?\s+)?((internal|unknown|unexpected|generic)\s+)?(error|exception|failure|problem)"
    r"(\s+(has\s+)?(occurred|happened))?\W*"
    r"|\W*something\s+went\s+wrong\W*"
    r"|\W*(operation|request|job|task|call|it)?\s*(has\s+)?failed\W*",
    re.IGNORECASE,
)
_REASONS = ("error_kind", "error", "reason", "exception", "exc_info", "cause_kind")


@rule(
    "editorial",
    title="narration is short, and a failure says its reason",
    hint=(
        "say the one thing that happened and put values into fields; name the reason of a failure "
        "in the text and in error_kind"
    ),
    level="warn",
)
def editorial(
    evidence: Facts, *, human: int = 100, cute: int = 150, story: int = 200
) -> Iterable[Finding]:
    """Yield one violation for each point and kind of flaw.

    :param human: most characters of ``human``, and likewise of ``cute`` and ``story``.
    """
    limits = (("human", human), ("cute", cute), ("story", story))
    found: dict[tuple[str, tuple[str | None, ...]], list[Event]] = {}
    for event in evidence.events():
        for flaw in _flaws(event, limits):
            key = (flaw, (event.service, event.actor, event.action, event.template))
            found.setdefault(key, []).append(event)
    for (flaw, _), events in found.items():
        first = events[0]
        yield Violation(
            f"{who(first)}'s {first.actor}/{first.action} {flaw} ({plural(len(events), 'event')})",
            (line(first, *(("error_kind",) if "why" in flaw else ())),),
            tuple(events),
            between(None, first),
        )


def _flaws(event: Event, limits: tuple[tuple[str, int], ...]) -> Iterator[str]:
    for name, most in limits:
        text = getattr(event, name)
        if text is not None and len(text) > most:
            yield f"has a {name} of more than {most} characters"
    if not event.human.strip():
        yield "says nothing: human is empty"
    elif (
        event.level in ("error", "fatal", "warn")
        and _VAGUE.fullmatch(event.human)
        and not any(event.field(name) for name in _REASONS)
    ):
        yield f"fails without saying why: {quoted(event.human)}"
