"""Order and latency: what comes before what, and how soon.

Lines of different services may arrive in any order. So order rests on what the services say: the
numbers of their lines and the causes that they name, as in a story; where they say neither, on
their timestamps; and on arrival where there is nothing else. Latency is measured by arrival at the
test, or, with ``by their timestamps``, by the services' clocks: right for recorded logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from ..errors import StepFailed, StepMistake
from ..pattern.clock import moment
from ..recorder import Record
from .chronology import Chronology
from .observed import Observed
from .phrase import then
from .scene import Scene
from .selection import Selection, selection
from .tables import Table, column


@then(
    "{event} comes before {event}",
    example='Then the event "reserved" of "stock" comes before the event "paid" of "bank"',
)
def _before(first: Selection, second: Selection, narration_scene: Scene) -> None:
    """Wait for both events, the first of which must have happened before the second."""
    _in_this_order(narration_scene, [first, second])


@then(
    "these events come in this order:",
    example="""
    Then these events come in this order:
      | the event "placed" of "shop"  |
      | the event "paid" of "bank"    |
      | the event "shipped" of "shop" |
    """,
)
def _in_order(datatable: Table, narration_scene: Scene) -> None:
    """Wait for all events, each of which must have happened after the one above it."""
    events = [selection(text) for text in column(datatable, heading="event")]
    _in_this_order(narration_scene, events)


def _in_this_order(scene: Scene, described: Sequence[Selection]) -> None:
    observed = Observed(scene)

    def chained(chronology: Chronology, records: Sequence[Sequence[Record]]) -> bool:
        return chronology.chain(records) is not None

    observed.until(chained, described, "\n  then ".join(each.text for each in described))


@then(
    "these events come in any order:",
    example="""
    Then these events come in any order:
      | the event "mailed" of "post"  |
      | the event "shipped" of "shop" |
    """,
)
def _in_any_order(datatable: Table, narration_scene: Scene) -> None:
    """Wait until each of the events has come."""
    observed = Observed(narration_scene)
    every = [observed.pattern(selection(text)) for text in column(datatable, heading="event")]
    if not every:
        raise StepMistake("the table has no event; it takes one in each row")
    observed.wait_pattern(reduce(lambda one, other: one & other, every))


@then(
    "no {events} comes before {event}",
    example='Then no event "shipped" comes before the event "paid"',
)
def _not_before(unwanted: Selection, wanted: Selection, narration_scene: Scene) -> None:
    """Wait for an event, and until everything is quiet; none of the others may be earlier."""
    observed = Observed(narration_scene)
    observed.wait(wanted)
    observed.settled()
    chronology, (bad, good) = observed.now(unwanted, wanted)
    if not any(all(not chronology.precedes(b, g) for b in bad) for g in good):
        earlier = [b for b in bad if chronology.precedes(b, good[0])]
        raise StepFailed(observed.shown(f"no {unwanted} before {wanted}", earlier, unwanted))


@then(
    "no {events} comes between {event} and {event}",
    example='Then no event "retry" comes between the event "reserved" and the event "paid"',
)
def _not_between(
    unwanted: Selection, first: Selection, last: Selection, narration_scene: Scene
) -> None:
    """Wait for the first event and then the last, with none of the others in between."""
    _in_this_order(narration_scene, [first, last])
    observed = Observed(narration_scene)
    observed.settled()
    chronology, (bad, begins, ends) = observed.now(unwanted, first, last)
    between = [
        [b for b in bad if chronology.is_chain([one, b, other])]
        for one in begins
        for other in ends
        if chronology.precedes(one, other)
    ]
    if all(between):
        wanted = f"no {unwanted} between {first} and {last}"
        raise StepFailed(observed.shown(wanted, between[0] if between else [], unwanted))


@then(
    "{event} follows {event} within {duration}",
    example='Then the event "paid" follows the event "placed" within 2 s',
)
def _follows(later: Selection, earlier: Selection, limit: float, narration_scene: Scene) -> None:
    """Wait for both events, the later of which must have arrived so soon after the other."""
    _soon(narration_scene, earlier, later, limit, "arrival")


@then(
    "{event} follows {event} within {duration} by their timestamps",
    example='Then the event "paid" follows the event "placed" within 2 s by their timestamps',
)
def _follows_by_clock(
    later: Selection, earlier: Selection, limit: float, narration_scene: Scene
) -> None:
    """Compare when the services say that the events happened."""
    _soon(narration_scene, earlier, later, limit, "timestamp")


def _soon(scene: Scene, earlier: Selection, later: Selection, limit: float, by: str) -> None:
    def soon(chronology: Chronology, records: Sequence[Sequence[Record]]) -> bool:
        return any(
            chronology.precedes(one, other) and _apart(one, other, by) <= limit
            for one in records[0]
            for other in records[1]
        )

    wanted = f"{later}\n  at most {limit:g} s after {earlier}, by {by}"
    Observed(scene).until(soon, [earlier, later], wanted, extra=limit)


@then(
    "each {events} is followed by {event} within {duration}",
    example='Then each event "placed" is followed by the event "paid" within 2 s',
)
def _each_answered(
    earlier: Selection, later: Selection, limit: float, narration_scene: Scene
) -> None:
    """Wait until everything is quiet; in its own request every such event must have its answer."""
    observed = Observed(narration_scene)
    observed.wait(earlier)
    observed.settled()
    chronology, (causes, answers) = observed.now(earlier, later)
    lonely = [
        cause
        for cause in causes
        if not any(
            answer.event.correlation_id == cause.event.correlation_id
            and chronology.precedes(cause, answer)
            and _apart(cause, answer, "arrival") <= limit
            for answer in answers
        )
    ]
    if lonely:
        wanted = f"each {earlier} followed by {later} within {limit:g} s"
        found = f"{len(lonely)} of {len(causes)} were not followed"
        raise StepFailed(observed.shown(wanted, lonely, later, found))


def _apart(one: Record, other: Record, by: str) -> float:
    """Return the seconds between two events; arrival may have swapped them."""
    try:
        return abs(moment(other, by) - moment(one, by))
    except ValueError as error:
        raise StepMistake(
            f"{one.event.action} or {other.event.action} has no timestamp to measure by"
        ) from error
