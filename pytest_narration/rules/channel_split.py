"""``channel-split``: what is for operators stays on stdout, what users see is on stdout too.

Points that a catalog declares for stdout only never appear on SSE, and those that it declares for
SSE are on the stream of their job; every event on SSE also appears on stdout, with the same id and
the same content; and no stream delivers an event twice. An SSE event that never reached stdout is
also how a lost last line is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..event import Event
from .declared import Declared
from .evidence import Record
from .facts import Facts
from .registry import rule
from .undelivered import undelivered
from .verdict import Doubt, Finding, Note, Violation
from .words import between, line, named, plural, quoted, who

__all__ = ["channel_split"]


@rule(
    "channel-split",
    title=(
        "stdout-only points never appear on SSE, SSE points reach their stream; every SSE event is "
        "on stdout, unchanged"
    ),
    hint=(
        "emit once and let the emitter write both channels; relay a line as it was read; wait for "
        "the story to settle before the check, so that no line is still on its way"
    ),
)
def channel_split(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each event that is on the wrong channels."""
    declared = Declared(evidence.points)
    lost = list(_lost(evidence, declared))
    yield from lost
    if not evidence.sse and not lost:
        yield Note("no event was seen on SSE, so only stdout was judged: nothing to compare")
        return
    on_stdout: dict[str, Event] = {}
    captured: set[str | None] = set()
    records = evidence.stdout if evidence.whole is None else evidence.whole.records()
    for record in records:
        if record.channel != "stdout":
            continue
        captured.add(record.event.service)
        if record.event.event_id is not None:
            on_stdout.setdefault(record.event.event_id, record.event)
    unseen: dict[str, int] = {}
    delivered: set[tuple[str, str | None, str]] = set()
    for record in evidence.sse:
        event = record.event
        if declared.is_stdout_only(event):
            yield _stdout_only(record)
        if event.event_id is None:
            yield _nameless(record)
            continue
        key = (record.source, record.stream, event.event_id)
        if key in delivered:
            yield _twice(record)
            continue
        delivered.add(key)
        twin = on_stdout.get(event.event_id)
        if twin is None and event.service not in captured:
            unseen[who(event)] = unseen.get(who(event), 0) + 1
        elif twin is None:
            yield _missing(record)
        elif twin != event:
            yield _different(record, twin)
    for service, count in unseen.items():
        yield Doubt(
            f"no stdout of {service} was captured, so {plural(count, 'SSE event')} of it could "
            "not be compared"
        )


def _lost(evidence: Facts, declared: Declared) -> Iterator[Violation]:
    if not declared:
        return
    promised = (record.event for record in evidence.stdout if declared.is_for_sse(record.event))
    for event, stream in undelivered(evidence, promised):
        hop = between(event, f"the stream of job {quoted(stream)}")
        yield Violation(
            f"a point declared for SSE never arrived {hop}: {named(event)} narrated "
            f"{event.actor}/{event.action} (event {quoted(event.event_id)}) on stdout in job "
            f"{quoted(event.job_id)}, and the stream was read to its end without it",
            (line(event, "event_id"),),
            (event,),
            hop,
            "narrate it for the job while its stream is open (in Python without `sse=False`); let "
            "relays pass on every frame; or declare the point for stdout only",
        )


def _stdout_only(record: Record) -> Violation:
    event = record.event
    hop = between(event, _reader(record))
    return Violation(
        f"a stdout-only point reached SSE {hop}: {named(event)} narrated "
        f"{event.actor}/{event.action} on the stream of job {quoted(record.stream)}",
        (line(event),),
        (event,),
        hop,
        "the catalog declares the point for stdout only: keep it off the stream (in Python "
        "`sse=False`, or outside of the job's context), or declare the channel",
        source=record.source,
    )


def _missing(record: Record) -> Violation:
    event = record.event
    hop = between(event, _reader(record))
    return Violation(
        f"an SSE event never appeared on stdout {hop}: {named(event)} narrated {event.action} "
        f"(event {quoted(event.event_id)}) on the stream of job {quoted(record.stream)} only; its "
        "stdout line was lost or never written",
        (line(event, "event_id"),),
        (event,),
        hop,
        source=record.source,
    )


def _different(record: Record, twin: Event) -> Violation:
    event = record.event
    hop = between(event, _reader(record))
    return Violation(
        f"stdout and SSE disagree {hop}: {named(event)} narrated {event.action} (event "
        f"{quoted(event.event_id)}) with other content on the stream of job "
        f"{quoted(record.stream)}",
        (*_differences(twin, event), f"stdout: {line(twin)}", f"SSE: {line(event)}"),
        (event,),
        hop,
        source=record.source,
    )


def _differences(stdout: Event, sse: Event) -> Iterator[str]:
    before, after = stdout.fields(), sse.fields()
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            found, expected = quoted(after.get(name)), quoted(before.get(name))
            yield f"{name}: {expected} on stdout, {found} on SSE"


def _twice(record: Record) -> Violation:
    event = record.event
    hop = between(event, _reader(record))
    return Violation(
        f"an event was delivered twice {hop}: {named(event)} narrated {event.action} (event "
        f"{quoted(event.event_id)}) once, and the stream of job {quoted(record.stream)} carried it "
        "again",
        (line(event, "event_id"),),
        (event,),
        hop,
        "after a reconnect, go on behind Last-Event-ID; attach one relay to a job's stream",
        source=record.source,
    )


def _nameless(record: Record) -> Violation:
    event = record.event
    hop = between(event, _reader(record))
    return Violation(
        f"an SSE event has no event_id {hop}: {named(event)} narrated {event.action} on the stream "
        f"of job {quoted(record.stream)}, and cannot be found on stdout",
        (line(event, "event_id"),),
        (event,),
        hop,
        source=record.source,
    )


def _reader(record: Record) -> str:
    return f"the stream's reader {record.source}" if record.source else "the stream's reader"
