"""``terminated``: every job that started ended, once.

Two kinds of evidence: frames, where ``started`` asks for one ``end`` or ``error`` on the same
stream; and events in a job, where an action such as ``inference_start`` asks for one
``inference_complete`` or for an ``error`` of the same actor. A silent failure path is a start
without its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..event import Event
from .facts import Facts
from .readings import Reading, kind, readings
from .registry import rule
from .verdict import Doubt, Finding, Note, Violation
from .words import line, named, plural, quoted, who

__all__ = ["terminated"]

_STARTS = ("_start", "_started", "_begin", "_began")
_ENDS = (
    "_complete", "_completed", "_end", "_ended", "_done", "_finished", "_failed", "_cancelled",
    "_aborted", "_timeout",
)  # fmt: skip
_FAILURES = ("error", "fatal")


@dataclass(slots=True)
class _Work:
    starts: list[Event] = field(default_factory=list)
    ends: list[Event] = field(default_factory=list)


@rule(
    "terminated",
    title="every job that started ended once",
    hint=(
        "narrate the end on every way out, failures, cancellations and time-outs included; let the "
        "story settle before the check; name other actions in the option `pairs`"
    ),
)
def terminated(evidence: Facts, *, pairs: Sequence[Sequence[str]] = ()) -> Iterable[Finding]:
    """Yield one violation for each start without an end, or with several.

    :param pairs: ``[start, end, end, ...]`` actions beyond those that are told by their endings.
    """
    kinds = _Kinds(pairs)
    works: dict[tuple[str, str | None, str, str], _Work] = {}
    failures: dict[tuple[str, str | None, str], list[Event]] = {}
    for event in evidence.events():
        if not event.job_id:
            continue
        key = (event.job_id, event.service, event.actor)
        is_start, name = kinds.of(event.action)
        if name is not None:
            found = works.setdefault((*key, name), _Work())
            (found.starts if is_start else found.ends).append(event)
        elif event.level in _FAILURES:
            failures.setdefault(key, []).append(event)
    judged = 0
    for (job_id, service, actor, _), work in works.items():
        if work.starts:
            judged += 1
            yield from _judge(work, failures.get((job_id, service, actor), []))
    streams: dict[str | None, list[Reading]] = {}
    for reading in readings(evidence.frames()):
        streams.setdefault(reading.stream, []).append(reading)
    open_sources = {r.source for of in streams.values() for r in of}
    open_sources -= {ending.source for ending in evidence.endings}
    for stream, of_stream in streams.items():
        if any(reading.starts for reading in of_stream):
            judged += 1
            yield from _judge_stream(stream, of_stream, open_sources)
    if not judged:
        yield Note("no start of a job was recognised, neither on a stream nor by an action's name")


class _Kinds:
    """Which actions start or end which work; few actions, so each is looked at once."""

    def __init__(self, pairs: Sequence[Sequence[str]]) -> None:
        if any(isinstance(pair, str) or len(pair) < 2 for pair in pairs):
            raise ConfigurationError(
                "option 'pairs' of rule 'terminated' must be a list of [start, end, …] actions, "
                f'such as [["order_opened", "order_closed"]], not {pairs!r}'
            )
        self._known: dict[str, tuple[bool, str | None]] = {}
        for start, *ends in pairs:
            self._known[start] = (True, start)
            self._known |= dict.fromkeys(ends, (False, start))

    def of(self, action: str) -> tuple[bool, str | None]:
        """Return whether an action is a start, and of what; ``None`` when it is neither."""
        known = self._known.get(action)
        if known is None:
            start, end = _stem(action, _STARTS), _stem(action, _ENDS)
            known = self._known[action] = (start is not None, start or end)
        return known


def _stem(action: str, endings: Sequence[str]) -> str | None:
    return next((action.removesuffix(end) for end in endings if action.endswith(end)), None)


def _judge(work: _Work, failures: list[Event]) -> Iterator[Violation]:
    start = work.starts[-1]
    hop = f"within {who(start)}"
    if len(work.ends) + len(failures) < len(work.starts):
        yield Violation(
            f"a job never ended {hop}: {named(start)} narrated {start.action} in job "
            f"{quoted(start.job_id)}, and neither its end nor an error of {start.actor} followed",
            (line(start), *(line(event) for event in work.ends[-1:])),
            (start,),
            hop,
        )
        return
    # An error event ends the work when that is all it says; other failures may be retried.
    ends = [*work.ends, *(event for event in failures if event.action == "error")]
    if len(ends) > len(work.starts):
        yield Violation(
            f"a job ended more than once {hop}: {named(start)} narrated "
            f"{plural(len(ends), 'end')} for {plural(len(work.starts), 'start')} of "
            f"{start.action} in job {quoted(start.job_id)}",
            tuple(line(event) for event in (start, *ends[-3:])),
            tuple(ends[len(work.starts) :]),
            hop,
        )


def _judge_stream(
    stream: str | None, of_stream: list[Reading], open_sources: set[str]
) -> Iterator[Finding]:
    ends = max((reading.ends for reading in of_stream), key=len)
    readers = " and ".join(reading.source or "its reader" for reading in of_stream)
    hop = f"between the stream of job {quoted(stream)} and {readers}"
    seen = of_stream[-1].frames
    proof = (f"last frames: {' → '.join(kind(frame) for frame in seen[-6:])}",)
    if len(ends) > 1:
        yield Violation(
            f"a job ended more than once: the stream of job {quoted(stream)} carried "
            f"{plural(len(ends), 'end')} for one start",
            proof,
            hop=hop,
            source=of_stream[-1].source,
        )
    elif not ends and (still := next((r for r in of_stream if r.source in open_sources), None)):
        yield Doubt(
            f"job {quoted(stream)} started and its stream is still open without an end",
            still.source,
        )
    elif not ends:
        yield Violation(
            f"a job never ended: the stream of job {quoted(stream)} started, and closed without "
            "end or error",
            proof,
            hop=hop,
            source=of_stream[-1].source,
        )
