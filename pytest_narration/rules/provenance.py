"""``provenance``: every event says who emitted it, and no line of an emitter is missing.

``seq`` counts an emitter's lines from 1: a number that is missing is a lost line, one that comes
twice is a repeated one. Lines may arrive in another order than they were numbered. What follows
an emitter's last line cannot be seen this way; ``causal-order`` and ``channel-split`` notice it
when another service or a stream names it. What a process narrates while it is captured in process
cannot get lost, and a test sees its own part of it only: there ``seq`` is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..event import Event
from ..recorder.records import IN_PROCESS
from .evidence import Record
from .facts import Facts
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, listed, named, plural, quoted, who

__all__ = ["provenance"]

_FIELDS = ("event_id", "emitted_by", "instance", "seq")
_Emitter = tuple[str | None, str | None]


@rule(
    "provenance",
    title="every event names its emitter, and each emitter's seq has no gap and no repeat",
    hint=(
        "a gap is a line that was written and not captured, or dropped by a full sink: capture "
        "from the process's start and let it end before the check; list services that were "
        "attached to while they ran in the option `attached`"
    ),
)
def provenance(evidence: Facts, *, attached: Sequence[str] = ()) -> Iterable[Finding]:
    """Yield one violation for each gap, repeat, reused event id and emitter without provenance.

    :param attached: services whose capture began while they ran: ``seq`` need not start at 1.
    """
    yield from _nameless(evidence)
    yield from _reused_ids(evidence)
    judged: dict[_Emitter, list[Record]] = {}
    for record in evidence.stdout:
        event = record.event
        if event.instance is None or event.seq is None:
            continue
        if record.source != IN_PROCESS:
            judged.setdefault((event.service, event.instance), []).append(record)
    if not judged:
        yield Note("no numbered line was seen on stdout, so lost lines could not be noticed")
    for (service, instance), records in judged.items():
        everything = records
        if evidence.whole is not None:
            everything = [
                record
                for record in evidence.whole.records(instance=instance)
                if record.channel == "stdout" and record.event.service == service
            ]
        yield from _sequence(records, everything, first=None if service in attached else 1)


def _nameless(evidence: Facts) -> Iterator[Violation]:
    found: dict[tuple[str, tuple[str, ...]], list[Event]] = {}
    for event in evidence.events():
        if (
            event.event_id is None
            or event.emitted_by is None
            or event.instance is None
            or event.seq is None
        ):
            missing = tuple(name for name in _FIELDS if getattr(event, name) is None)
            found.setdefault((who(event), missing), []).append(event)
    for (service, missing), events in found.items():
        hop = between(None, events[0])
        yield Violation(
            f"{plural(len(events), 'event')} of {service} without {listed(missing)}: who said it "
            "and whether all of it arrived is unknown",
            tuple(line(event) for event in events[:3]),
            tuple(events),
            hop,
            "add these fields in the logger's formatter (in Python pytest_narration.emit); for a "
            "logger that has none, set [tool.narration.rules] provenance = "
            '{level = "off", reason = "..."}',
        )


def _reused_ids(evidence: Facts) -> Iterator[Violation]:
    """Find one event id on two different lines; relayed copies of a line are the same line."""
    first: dict[str, Event] = {}
    for record in evidence.stdout:
        event = record.event
        if event.event_id is None:
            continue
        known = first.setdefault(event.event_id, event)
        if known is not event and known != event:
            hop = between(known, event)
            yield Violation(
                f"event id {quoted(event.event_id)} stands on two different lines {hop}: "
                f"{named(known)} narrated {known.action}, {named(event)} narrated {event.action}",
                (line(known), line(event)),
                (event,),
                hop,
                "make an id for every event, and relay a line byte for byte as it was read",
            )


def _sequence(
    records: list[Record], everything: list[Record], *, first: int | None
) -> Iterator[Violation]:
    in_part = {record.event.seq for record in records}
    by_seq: dict[int, Event] = {}
    sightings: set[tuple[str, int]] = set()
    for record in everything:
        event = record.event
        if event.seq is None:
            continue
        known = by_seq.setdefault(event.seq, event)
        again = (record.source, event.seq) in sightings
        sightings.add((record.source, event.seq))
        if event.seq in in_part and (again or known.event_id != event.event_id):
            yield _repeated(known, event)
    before = first - 1 if first is not None else None
    previous: Event | None = None
    for seq in sorted(by_seq):
        event = by_seq[seq]
        # A gap belongs to the line behind it, so that a part of a session reports its own only.
        if before is not None and seq > before + 1 and seq in in_part:
            yield _gap(before + 1, seq - 1, previous, event)
        before, previous = seq, event


def _gap(first: int, last: int, previous: Event | None, event: Event) -> Violation:
    count = last - first + 1
    which = f"seq {first}" if count == 1 else f"seq {first} to {last}"
    hop = f"between {who(event)} and its stdout's reader"
    proof = (line(event),) if previous is None else (line(previous), line(event))
    return Violation(
        f"{plural(count, 'line')} lost {hop}: {which} of {named(event)} never arrived, before it "
        f"narrated {event.action}",
        proof,
        (event,),
        hop,
    )


def _repeated(known: Event, event: Event) -> Violation:
    hop = f"between {who(event)} and its stdout's reader"
    if known.event_id == event.event_id:
        said = f"{named(event)} narrated {event.action} once, and its line arrived twice"
        hint = "relay each line once; two sources that read one output need one name each"
    else:
        said = f"{named(event)} numbered both {known.action} and {event.action} so"
        hint = "number lines under one lock, and give every process an instance id of its own"
    return Violation(
        f"seq {event.seq} repeated {hop}: {said}",
        (line(known, "event_id"), line(event, "event_id")),
        (event,),
        hop,
        hint,
    )
