"""Order and latency: what comes before what, and how soon.

Time is measured by arrival at the test, which is right for running services. For recorded logs, and
where services buffer their output, say ``by their timestamps``: then the clocks of the services
count.
"""

from __future__ import annotations

from functools import reduce

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
    """Wait for the first event, and after it for the second."""
    observed = Observed(narration_scene)
    observed.wait_pattern(observed.pattern(first) >> observed.pattern(second))


@then(
    "no {events} comes before {event}",
    example='Then no event "shipped" comes before the event "paid"',
)
def _not_before(unwanted: Selection, wanted: Selection, narration_scene: Scene) -> None:
    """Wait for an event; none of the others must have come by then."""
    observed = Observed(narration_scene)
    observed.wait_pattern(~observed.pattern(unwanted) >> observed.pattern(wanted))


@then(
    "no {events} comes between {event} and {event}",
    example='Then no event "retry" comes between the event "reserved" and the event "paid"',
)
def _not_between(
    unwanted: Selection, first: Selection, last: Selection, narration_scene: Scene
) -> None:
    """Wait for the first event, and then for the last, with none of the others in between."""
    observed = Observed(narration_scene)
    observed.wait_pattern(
        observed.pattern(first) >> ~observed.pattern(unwanted) >> observed.pattern(last)
    )


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
    """Wait for each event after the one before; others may come in between."""
    observed = Observed(narration_scene)
    steps = [observed.pattern(selection(text)) for text in column(datatable, heading="event")]
    observed.wait_pattern(reduce(lambda one, other: one >> other, steps))


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
    observed.wait_pattern(reduce(lambda one, other: one & other, every))


@then(
    "{event} follows {event} within {duration}",
    example='Then the event "paid" follows the event "placed" within 2 s',
)
def _follows(later: Selection, earlier: Selection, limit: float, narration_scene: Scene) -> None:
    """Wait for the earlier event, and then so long, at most, for the later one."""
    observed = Observed(narration_scene)
    pattern = observed.pattern(earlier) >> observed.pattern(later).within(limit)
    observed.wait_pattern(pattern, narration_scene.patience + limit)


@then(
    "{event} follows {event} within {duration} by their timestamps",
    example='Then the event "paid" follows the event "placed" within 2 s by their timestamps',
)
def _follows_by_clock(
    later: Selection, earlier: Selection, limit: float, narration_scene: Scene
) -> None:
    """Compare when the services say that the events happened."""
    observed = Observed(narration_scene)
    limited = observed.pattern(later).within(limit, by="timestamp")
    observed.wait_pattern(observed.pattern(earlier) >> limited, narration_scene.patience + limit)


@then(
    "each {events} is followed by {event} within {duration}",
    example='Then each event "placed" is followed by the event "paid" within 2 s',
)
def _each_answered(
    earlier: Selection, later: Selection, limit: float, narration_scene: Scene
) -> None:
    """Wait until everything is quiet; in each request every such event must have had its answer."""
    from ..pattern import existence, response

    observed = Observed(narration_scene)
    observed.settled()
    cause, effect = observed.pattern(earlier), observed.pattern(later)
    answered = response(cause, effect, within=limit, per="correlation_id")
    observed.wait_pattern(existence(cause) & answered, 0.0)
