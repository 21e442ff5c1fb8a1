"""``contract``: every event keeps the contract of its name: its payload, and the ids it must have.

Names and payloads are those of :mod:`pytest_narration.contracts`: the common events, and the
project's own. Where the streams are ours, their frames are judged too (``frames = true``). Events
that break the same contract in the same way are one violation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import schema
from ..contracts import Contracts
from ..event import Event
from .evidence import Frame
from .facts import Facts
from .registry import rule
from .verdict import Finding, Violation
from .words import between, line, named, plural, quoted, who

__all__ = ["contract"]

_FRAME = "sse-frame.v1"
_TYPES = frozenset({"started", "narration", "token", "metrics", "end", "error"})


@rule(
    "contract",
    title="every event keeps the contract that its name selects",
    hint=(
        "correct the payload where it is narrated, or the schema that [tool.narration.contracts] "
        "names; NARRATION_VALIDATE=strict raises at the very call"
    ),
)
def contract(
    evidence: Facts, *, contracts: Contracts | None = None, frames: bool = False
) -> Iterable[Finding]:
    """Yield one violation for each contract and kind of breach.

    :param contracts: the project's; those of the package alone by default.
    :param frames: judge the data of stream frames as well.
    """
    known = contracts or Contracts()
    broken: dict[tuple[object, ...], tuple[list[str], list[Event]]] = {}
    for event in evidence.events():
        fields = event.fields()
        name = fields.get("event_name") or event.action
        if known.entry(str(name)) is None:
            continue
        problems = known.payload_problems(fields)
        if problems:
            places = tuple((problem.path, problem.rule) for problem in problems)
            key = (event.service, name, places)
            told = [f"{problem.path or 'the payload'} {problem.message}" for problem in problems]
            broken.setdefault(key, (told, []))[1].append(event)
    for (_, name, _), (told, events) in broken.items():
        yield _violation(str(name), told, events)
    if frames:
        yield from _frames(evidence.frames())


def _violation(name: str, told: Sequence[str], events: Sequence[Event]) -> Violation:
    first = events[0]
    more = f" and {plural(len(told) - 1, 'more problem')}" if len(told) > 1 else ""
    at = f" at {first.source_location}" if first.source_location else ""
    return Violation(
        f"{plural(len(events), 'event')} of {who(first)} outside of the contract of {name}: "
        f"{named(first)} narrated{at}, and {told[0]}{more}",
        (*told, *(line(event) for event in events[:2])),
        tuple(events),
        between(None, first),
    )


def _frames(frames: Iterable[Frame]) -> Iterator[Violation]:
    found: dict[tuple[object, ...], tuple[list[str], int, Frame]] = {}
    for frame in frames:
        if frame.type not in _TYPES:
            continue  # the marker [DONE], and what stream-grammar refuses
        problems = schema.validate(_data(frame), name=_FRAME)
        if problems:
            key = (frame.source, frame.type, *((p.path, p.rule) for p in problems))
            told = [f"{problem.path or 'its data'} {problem.message}" for problem in problems]
            first, count, example = found.get(key, (told, 0, frame))
            found[key] = (first, count + 1, example)
    for told, count, frame in found.values():
        more = f" and {plural(len(told) - 1, 'more problem')}" if len(told) > 1 else ""
        yield Violation(
            f"{plural(count, 'frame')} {frame.type} of {frame.source} outside of the contract "
            f"{_FRAME}: {told[0]}{more}",
            (*told, f"data: {quoted(frame.data[:160])}"),
            hop=f"between the stream of job {quoted(frame.stream)} and {frame.source}",
            source=frame.source,
        )


def _data(frame: Frame) -> Any:
    try:
        return json.loads(frame.data)
    except (ValueError, RecursionError):
        return frame.data
