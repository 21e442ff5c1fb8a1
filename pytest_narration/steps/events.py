"""Events: what was narrated in this scenario, how often, with which fields, or not at all.

What must come is waited for, 5 seconds unless the step or ``I wait at most`` says otherwise. Before
absences and exact numbers are judged, the scenario waits until no job is open and nothing arrives
for a moment; when a source was cut off, or nothing was narrated at all, they cannot be judged and
the step fails.

Actions and fields go by the names that events have: a logger's ``order placed`` is the action
``order_placed``, its ``requestId`` the field ``correlation_id``, its ``error_code`` ``error_kind``
(``docs/formats.md``); a field that means nothing special keeps its name.
"""

from __future__ import annotations

from ..errors import StepFailed
from ..pattern import event as any_event
from ..rules.words import plural
from .observed import Observed
from .phrase import given, then, when
from .scene import Scene
from .selection import Selection
from .tables import Table, expectations
from .values import Expected


@given("I wait at most {duration}", example="Given I wait at most 30 s")
def _patience(limit: float, narration_scene: Scene) -> None:
    """Say how long this scenario's steps wait for what must come."""
    narration_scene.patience = limit


@when("everything is quiet", example="When everything is quiet")
def _quiet(narration_scene: Scene) -> None:
    """Wait until no job is open and nothing has arrived for a moment."""
    narration_scene.settle(10.0)


@then("{event} is seen", example='Then the event "order_placed" of "shop" is seen')
def _seen(described: Selection, narration_scene: Scene) -> None:
    """Wait until such an event has come."""
    Observed(narration_scene).wait(described)


@then("{event} is seen within {duration}", example='Then the event "paid" is seen within 2 s')
def _seen_within(described: Selection, limit: float, narration_scene: Scene) -> None:
    """Wait so long, at most, for such an event."""
    Observed(narration_scene).wait(described, limit)


@then("no {events} is/are seen", example='Then no event at level "error" or above is seen')
def _absent(described: Selection, narration_scene: Scene) -> None:
    """Wait until everything is quiet; such an event must not have come."""
    observed = Observed(narration_scene)
    observed.settled()
    _never(observed, described, narration_scene, 0.0)


@then(
    "no {events} is/are seen within {duration}",
    example='Then no event "retry" is seen within 500 ms',
)
def _absent_within(described: Selection, limit: float, narration_scene: Scene) -> None:
    """Watch for so long; such an event must not have come, and must not come."""
    observed = Observed(narration_scene)
    _never(observed, described, narration_scene, limit)
    observed.conclusive()


def _never(observed: Observed, described: Selection, scene: Scene, during: float) -> None:
    pattern = observed.pattern(described)
    scene.narration.recorder.never(pattern, during=during, since=scene.narration.start)


@then(
    "{amount} {events} is/are seen",
    example='Then exactly 3 events "retry" of "shop" are seen',
)
def _counted(amount: Expected, described: Selection, narration_scene: Scene) -> None:
    """Count such events, each once however often it was captured.

    A lower bound is waited for; any other number is judged when everything is quiet.
    """
    Observed(narration_scene).count(described, amount)


@then(
    "{amount} {events} is/are seen within {duration}",
    example='Then at most 2 events "retry" are seen within 5 s',
)
def _counted_within(
    amount: Expected, described: Selection, limit: float, narration_scene: Scene
) -> None:
    """Count such events after so long: for services that are never quiet."""
    Observed(narration_scene).count(described, amount, during=limit)


@then(
    "the field {string} of {event} is {value}",
    example='Then the field "items" of the event "order_placed" is at least 1',
)
def _field(name: str, described: Selection, expected: Expected, narration_scene: Scene) -> None:
    """Wait for such an event that also has the field; dots walk into nested fields."""
    _with(narration_scene, described, [(name, expected)])


@then(
    "{event} has the fields:",
    example="""
    Then the event "order_placed" has the fields:
      | field       | value     |
      | items       | 2         |
      | customer.id | /^c-/     |
      | coupon      | absent    |
    """,
)
def _fields(described: Selection, datatable: Table, narration_scene: Scene) -> None:
    """Wait for one such event that has all the fields; the nearest miss shows which differ."""
    _with(narration_scene, described, expectations(datatable, headings=("field", "value")))


def _with(scene: Scene, described: Selection, fields: list[tuple[str, Expected]]) -> None:
    observed = Observed(scene)
    observed.wait_pattern(any_event(**(observed.where(described) | dict(fields))))


@then(
    "every {events} has the fields:",
    example="""
    Then every event of "shop" for the request has the fields:
      | tenant | blue |
    """,
)
def _every(described: Selection, datatable: Table, narration_scene: Scene) -> None:
    """Wait until everything is quiet; all such events, at least one, must have the fields."""
    observed = Observed(narration_scene)
    observed.settled()
    expected = expectations(datatable, headings=("field", "value"))
    events = observed.events(described)
    wrong = [
        f"{event.service} {event.action} “{event.human}”: {name}: expected {condition!r}, "
        f"found {event.field(name)!r}"
        for event in events
        for name, condition in expected
        if not condition.accepts(event.field(name))
    ]
    if not events:
        observed.never_came(described)
    if wrong:
        more = f"\n… and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise StepFailed("\n".join(wrong[:10]) + more)


@then(
    "{event} and {event} have the same {string}",
    example='Then the event "placed" and the event "paid" of "bank" have the same "order_id"',
)
def _same(one: Selection, other: Selection, field: str, narration_scene: Scene) -> None:
    """Wait for both events and compare a field, which both must have."""
    first, second = (Observed(narration_scene).wait(each).event for each in (one, other))
    left, right = first.field(field), second.field(field)
    if left is None or left != right:
        raise StepFailed(
            f'expected {one} and {other} to have the same "{field}"; found {left!r} and {right!r}'
        )


@then(
    "the sentence {string} is told by {string}",
    example='Then the sentence "Order o-17 was paid" is told by "shop"',
)
def _sentence(human: str, service: str, narration_scene: Scene) -> None:
    """Wait until a service has said exactly this."""
    narration_scene.narration.wait_for(
        timeout=narration_scene.patience, service=service, human=human
    )


@then("every line is an event", example="Then every line is an event")
def _readable(narration_scene: Scene) -> None:
    """Check that every line that services printed could be read; others are shown with why."""
    rejected = narration_scene.narration.rejected
    if rejected:
        shown = [f"  {r.source}, byte {r.offset}: {r.why}: {r.line[:160]!r}" for r in rejected[:5]]
        more = [f"  … and {len(rejected) - 5} more"] if len(rejected) > 5 else []
        unread = plural(len(rejected), "line")
        raise StepFailed("\n".join([f"{unread} could not be read as events:", *shown, *more]))
