"""``causal-order``: no event precedes its cause.

Order rests on happens-before, never on clocks: ``seq`` within one emitter, ``cause`` across
emitters (Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978).
Broken when an emitter names a later event of its own, when links and sequences contradict each
other across services, and when a cause was never seen, which is how a lost last line shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..event import Event
from .facts import Facts, emitter
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import between, line, named, plural, quoted, who

__all__ = ["causal_order"]

_MAX_RINGS = 10
"""Most rings told apart: each costs a pass over what cannot be ordered."""


@rule(
    "causal-order",
    title="no event precedes its cause",
    hint=(
        "name as cause only what was narrated before: the trail of the running context, and the "
        "id that came with the request (tracestate) or the response (X-Narration-Cause)"
    ),
)
def causal_order(evidence: Facts) -> Iterable[Finding]:
    """Yield one violation for each early or unseen cause, and each ring of events."""
    events = evidence.events()
    if not any(event.cause for event in events):
        yield Note("no event names a cause, so only each emitter's own order is known")
        return
    early: set[tuple[str | None, str]] = set()
    unseen: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        for event_id in event.cause:
            cause = evidence.by_id.get(event_id)
            if cause is None:
                if event_id not in evidence.known_ids:
                    unseen.setdefault((who(event), event_id), []).append(event)
            elif _is_early(cause, event):
                early.add((event.event_id, event_id))
                yield _precedes(cause, event)
    sent = " ".join(headers.get("tracestate", "") for headers in evidence.sent_headers)
    for (_, event_id), naming in unseen.items():
        if event_id not in sent:
            yield _unseen(event_id, naming, evidence)
    if not (_is_order(events) or _is_order(_by_age(events))):
        yield from _rings(evidence, early)


def _by_age(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.event_id or "")


def _is_order(events: list[Event]) -> bool:
    """Whether events in this order contradict no link: then there is no ring.

    Arrival is such an order unless sources raced, and age (UUIDv7) unless clocks differ much, so
    that the graph is needed for few stories.
    """
    position = {event.event_id: n for n, event in enumerate(events)}
    last: dict[tuple[str | None, str | None], int] = {}
    for n, event in enumerate(events):
        for cause in event.cause:
            if position.get(cause, -1) >= n:
                return False
        if event.seq is not None and event.instance is not None:
            lane = emitter(event)
            if event.seq <= last.get(lane, 0):
                return False
            last[lane] = event.seq
    return True


def _is_early(cause: Event, event: Event) -> bool:
    if cause is event:
        return True
    if emitter(cause) != emitter(event) or cause.instance is None:
        return False
    return cause.seq is not None and event.seq is not None and event.seq <= cause.seq


def _precedes(cause: Event, event: Event) -> Violation:
    hop = between(cause, event)
    itself = "itself" if cause is event else f"{cause.action} (seq {cause.seq}), which came later"
    return Violation(
        f"an event precedes its cause {hop}: {named(event)} narrated {event.action} "
        f"(seq {event.seq}) as caused by {itself}",
        (line(event, "event_id"), line(cause, "event_id")),
        (event,),
        hop,
    )


def _unseen(event_id: str, naming: list[Event], evidence: Facts) -> Violation:
    event = naming[0]
    upstream = evidence.upstream(event)
    hop = between(upstream, event)
    more = f", as {plural(len(naming) - 1, 'more event')} did" if len(naming) > 1 else ""
    return Violation(
        f"an event's cause was never seen {hop}: {named(event)} narrated {event.action} as caused "
        f"by event {quoted(event_id)}{more}, and no source delivered it",
        tuple(line(e, "event_id") for e in naming[:3]),
        tuple(naming),
        hop,
        "the cause's line was lost, is still on its way (let the story settle before the check), "
        "or its emitter is not captured",
    )


def _rings(evidence: Facts, early: set[tuple[str | None, str]]) -> Iterator[Violation]:
    """Find events that happen before themselves: what a topological sort leaves over."""
    before: dict[str, list[str]] = {}
    lanes: dict[tuple[str | None, str | None], list[Event]] = {}
    for event_id, event in evidence.by_id.items():
        known = [c for c in event.cause if c in evidence.by_id and (event_id, c) not in early]
        if known:
            before[event_id] = known
        if event.instance is not None and event.seq is not None:
            lanes.setdefault(emitter(event), []).append(event)
    for lane in lanes.values():
        lane.sort(key=lambda event: event.seq or 0)
        previous: str | None = None
        for event in lane:
            assert event.event_id is not None
            if previous is not None:
                before.setdefault(event.event_id, []).append(previous)
            previous = event.event_id
    left = _unordered(evidence.by_id, before)
    for _ in range(_MAX_RINGS):
        if not left:
            return
        ring = _ring(next(iter(left)), before, left)
        yield _contradiction([evidence.by_id[event_id] for event_id in ring])
        # One report for each knot: what hangs on a ring is not wrong by itself.
        left = _unordered(
            left, {event_id: [b for b in before[event_id] if b in left] for event_id in left}, ring
        )


def _unordered(
    ids: Iterable[str], before: dict[str, list[str]], done: Iterable[str] = ()
) -> dict[str, None]:
    """Kahn's algorithm; return the ids that cannot be ordered."""
    left = dict.fromkeys(ids)
    waiting = {event_id: len(causes) for event_id, causes in before.items() if causes}
    after: dict[str, list[str]] = {}
    for event_id, causes in before.items():
        for cause in causes:
            after.setdefault(cause, []).append(event_id)
    done = set(done)
    ready = [event_id for event_id in left if event_id in done or not waiting.get(event_id)]
    while ready:
        event_id = ready.pop()
        if event_id not in left:
            continue
        del left[event_id]
        for next_id in after.get(event_id, ()):
            waiting[next_id] -= 1
            if not waiting[next_id]:
                ready.append(next_id)
    return left


def _ring(start: str, before: dict[str, list[str]], left: dict[str, None]) -> list[str]:
    """Walk back from an event that cannot be ordered until the walk meets itself."""
    path: dict[str, None] = {}
    event_id = start
    while event_id not in path:
        path[event_id] = None
        event_id = next(cause for cause in before[event_id] if cause in left)
    ring = list(path)
    return ring[ring.index(event_id) :]


def _contradiction(ring: list[Event]) -> Violation:
    # The ring walks from effects to causes. The link that crosses emitters is the one to read.
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    event, cause = next(((e, c) for e, c in pairs if emitter(e) != emitter(c)), pairs[0])
    hop = between(cause, event)
    return Violation(
        f"events are each other's causes {hop}: {named(event)} narrated {event.action} as caused "
        f"by {who(cause)}'s {cause.action}, which itself came after it",
        tuple(line(e, "event_id") for e in ring[:6]),
        (event,),
        hop,
    )
