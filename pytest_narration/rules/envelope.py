"""``envelope``: every event is valid against the contract, ``schema/narration-event.v1.json``.

A line that looks like a narration event and could not even be read as one counts as well. Events
that break the contract in the same way at the same point are one violation, and so are all of a
service that logs in another format.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .. import schema
from ..event import Event
from .facts import Facts
from .registry import rule
from .verdict import Finding, Violation
from .words import between, line, named, plural, quoted, who

__all__ = ["envelope"]

_MARKS = (b'"action"', b'"event_id"')


@rule(
    "envelope",
    title="every event is valid against its schema",
    hint=(
        "correct the field where it is written (in Python emit through pytest_narration.emit); for "
        "a logger with another format set [tool.narration.rules] envelope = "
        '{level = "off", reason = "..."}'
    ),
)
def envelope(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each point and kind of breach."""
    broken: dict[tuple[object, ...], list[Event]] = {}
    words: dict[tuple[object, ...], list[schema.Problem]] = {}
    for event in evidence.events():
        fields = _flat(event)
        if schema.is_valid(fields):
            continue
        problems = schema.validate(fields)
        places = tuple((problem.path, problem.rule) for problem in problems)
        # Another logger's events miss the same things at every point: once per service will do.
        is_foreign = event.event_id is None and event.emitted_by is None and event.seq is None
        point = () if is_foreign else (event.actor, event.action, places)
        key: tuple[object, ...] = (event.service, *point)
        broken.setdefault(key, []).append(event)
        words.setdefault(key, problems)
    for key, events in broken.items():
        yield _violation(events, words[key])
    for rejected in evidence.rejected:
        if rejected.line.lstrip().startswith(b"{") and any(m in rejected.line for m in _MARKS):
            source = rejected.source or "a source"
            yield Violation(
                f"a line of {source} is no event although it looks like one: {rejected.why}",
                (f"at byte {rejected.offset}: {quoted(_excerpt(rejected.line))}",),
                hop=f"at {source}",
                source=rejected.source,
            )


def _flat(event: Event) -> dict[str, Any]:
    # In C, unlike Event.fields(); it leaves out defaults, and these three are required.
    fields: dict[str, Any] = msgspec.to_builtins(event)
    extra = fields.pop("$extra", None)
    fields["level"] = event.level
    fields["actor"] = event.actor
    fields["action"] = event.action
    fields.setdefault("human", event.human)
    return fields | extra if extra else fields


def _violation(events: list[Event], problems: list[schema.Problem]) -> Violation:
    first = events[0]
    told = [f"{p.path or 'the event'} {p.message}" for p in problems]
    more = f" and {plural(len(told) - 1, 'more problem')}" if len(told) > 1 else ""
    of = plural(len(events), "event")
    return Violation(
        f"{of} of {who(first)} outside of the contract: {named(first)} narrated "
        f"{first.action}, whose {told[0]}{more}",
        (*told, *(line(event) for event in events[:2])),
        tuple(events),
        between(None, first),
    )


def _excerpt(raw: bytes) -> str:
    return raw[:160].decode("utf-8", "replace") + ("…" if len(raw) > 160 else "")
