"""A wait that ended without a match -> the text that says what was seen instead.

The plugin hands :func:`waited` to every recorder that it makes. What is cut is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from ..recorder import Death, Ending, Record, Recorder, Waited
from ..rules.words import plural
from ..wire import Rejected
from .lanes import emitters, timeline
from .nearest import Miss, hints, nearest, told
from .words import WIDTH, cut, event_line, exit_text, speaker

__all__ = ["waited"]

_LOOKED_AT = 20_000
"""Arrivals that a message is made from, the last ones: it must not take longer than the wait."""
_MET = 3
_SERVICES = 8
_REQUESTS = 4
_REJECTED = 3
_ENDINGS = 4
_LINES_OF_DEAD = 20
_EVENTS_PER_EMITTER = 4
_ROWS = 20


def waited(recorder: Recorder, wait: Waited) -> str:
    """Return the message of a wait that found nothing: what was awaited, and what came instead."""
    evidence = recorder.since(wait.since)
    sightings = recorder.since(max(wait.since, recorder.mark() - _LOOKED_AT)).records()
    earlier = recorder.since(wait.since - _LOOKED_AT).until(wait.since).records()
    records = _first_sights(sightings)
    skipped = max(recorder.mark() - wait.since - _LOOKED_AT, 0)
    return "\n".join(
        [
            *_headline(wait),
            *_met(wait),
            *_seen(records, _first_sights(earlier), skipped),
            *_misses(wait, sightings, earlier),
            *_requests(records),
            *_dead(wait.dead),
            *_endings(evidence.endings, wait.dead),
            *_rejected(evidence.rejected),
            *_last_events(records, sightings),
        ]
    )


def _headline(wait: Waited) -> Iterator[str]:
    if wait.lost:
        codes = {death.name: exit_text(death.exit_code) for death in wait.dead}
        ended = ", ".join(f"{name} ended with {codes[name]}" for name in wait.lost)
        yield f"{ended}, so this can no longer come (waited {wait.elapsed:.2f} s):"
    elif wait.reason:
        yield f"{wait.reason} (waited {wait.elapsed:.2f} s) while this was awaited:"
    else:
        yield f"waited {wait.elapsed:.2f} s (timeout {wait.timeout:g} s) and this did not come:"
    yield f"  {wait.remaining}"
    if wait.lost and wait.reason:
        yield f"  {wait.reason}"


def _met(wait: Waited) -> Iterator[str]:
    kept = wait.met[-_MET:]
    if kept:
        more = f", the last {len(kept)} of {len(wait.met)}" if len(kept) < len(wait.met) else ""
        yield f"what had come of it{more}:"
        yield from map(_spoken, kept)


def _seen(records: Sequence[Record], earlier: Sequence[Record], skipped: int) -> Iterator[str]:
    before = f" after {plural(len(earlier), 'event')} before the mark" if earlier else ""
    if not records:
        yield f"seen: no event{before}"
        return
    per: dict[str, int] = {}
    for record in records:
        per[speaker(record)] = per.get(speaker(record), 0) + 1
    named = [f"{cut(name, 30)} {number}" for name, number in list(per.items())[:_SERVICES]]
    if len(per) > _SERVICES:
        named.append(f"… {plural(len(per) - _SERVICES, 'more service')}")
    older = f" (and {skipped} older arrivals, not looked at)" if skipped else ""
    text = f"seen: {plural(len(records), 'event')}{older}{before}: {', '.join(named)}"
    yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _misses(wait: Waited, records: Sequence[Record], earlier: Sequence[Record]) -> Iterator[str]:
    used = {record.index for record in wait.met}
    miss = nearest([r for r in records if r.index not in used], wait.awaited)
    before = nearest(earlier, wait.awaited)
    if before is not None and not before.differences and (miss is None or miss.differences):
        yield "it came before the mark, where it does not count:"
        yield _spoken(before.record)
    if miss is not None:
        yield "nearest miss:"
        yield from _missed(miss)
    yield from (cut(hint, WIDTH) for hint in hints(records, wait.awaited))


def _missed(miss: Miss) -> Iterator[str]:
    yield _spoken(miss.record)
    yield from (f"      {cut(told(d), WIDTH - 6)}" for d in miss.differences)
    if not miss.differences:
        yield "      meets every condition, but came when something else was needed first"


def _requests(records: Sequence[Record]) -> Iterator[str]:
    last = {c: r for r in records if (c := r.event.correlation_id) is not None}
    if not last:
        return
    kept = sorted(last.items(), key=lambda item: item[1].index)[-_REQUESTS:]
    yield "last event of each correlation id:"
    if len(last) > len(kept):
        yield f"  … {len(last) - len(kept)} others"
    for correlation_id, record in kept:
        yield f"  {cut(f'{cut(correlation_id, 40)}: {_spoken(record).strip()}', WIDTH - 2)}"


def _dead(deaths: Sequence[Death]) -> Iterator[str]:
    for death in deaths:
        lines = death.lines[-_LINES_OF_DEAD:]
        last = "; its last lines:" if lines else ""
        yield f"process {death.name} ended with {exit_text(death.exit_code)}{last}"
        yield from (f"  | {cut(line, WIDTH - 4)}" for line in lines)


def _endings(endings: Sequence[Ending], deaths: Sequence[Death]) -> Iterator[str]:
    dead = {death.name for death in deaths}
    told = [e for e in endings if e.outcome != "complete" or e.source not in dead]
    for ending in told[-_ENDINGS:]:
        detail = f": {ending.detail}" if ending.detail else ""
        yield cut(f"source {ending.source} ended, {ending.outcome}{detail}", WIDTH)
    if len(told) > _ENDINGS:
        yield f"{len(told) - _ENDINGS} other sources ended before"


def _rejected(rejected: Sequence[Rejected]) -> Iterator[str]:
    if not rejected:
        return
    kept = rejected[-_REJECTED:]
    last = f", the last {len(kept)}" if len(kept) < len(rejected) else ""
    yield f"{plural(len(rejected), 'line')} could not be read as events{last}:"
    for line in kept:
        text = line.line[:2000].decode("utf-8", "backslashreplace")
        yield f"  {cut(f'{line.source} byte {line.offset}: {line.why}: {text}', WIDTH - 2)}"


def _last_events(records: Sequence[Record], sightings: Sequence[Record]) -> Iterator[str]:
    """The last few of each emitter, so that a silent one is not drowned by a talkative one."""
    if not records:
        return
    left = dict.fromkeys(emitters(records), _EVENTS_PER_EMITTER)
    kept: list[Record] = []
    for record in reversed(records):
        key = (speaker(record), record.event.instance)
        if left[key]:
            left[key] -= 1
            kept.append(record)
    kept = kept[:_ROWS][::-1]
    earlier = len(records) - len(kept)
    left_out = f" ({plural(earlier, 'other event')} left out)" if earlier else ""
    yield f"last events of {plural(len(left), 'emitter')}{left_out}:"
    indexes = {record.index for record in kept}
    ids = {record.event.event_id for record in kept} - {None}
    yield timeline(r for r in sightings if r.index in indexes or r.event.event_id in ids)


def _first_sights(records: Iterable[Record]) -> list[Record]:
    """Leave out further sightings of an event."""
    seen: set[str] = set()
    kept = []
    for record in records:
        event_id = record.event.event_id
        if event_id is None or event_id not in seen:
            kept.append(record)
            if event_id is not None:
                seen.add(event_id)
    return kept


def _spoken(record: Record) -> str:
    return f"  {cut(f'{speaker(record)} {event_line(record.event)}', WIDTH - 2)}"
