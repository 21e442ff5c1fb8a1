"""Stories: the request as a whole, in an order that never depends on timing.

See ``docs/stories.md`` for how a story is told, approved and reviewed.
"""

from __future__ import annotations

from difflib import ndiff

from ..errors import StepFailed, StoryChanged
from ..story import Story
from .judging import judge
from .phrase import then
from .scene import Scene
from .tables import Table, pairs

_SETTLE_SECONDS = 30.0


def _story(scene: Scene) -> Story:
    scene.settle(_SETTLE_SECONDS)
    return Story.of(scene.narration.for_correlation(scene.correlation_id))


@then(
    "the request's story is:",
    example='''
    Then the request's story is:
      """
      shop  orders `placed`  Order {order} was placed  [stdout]
      bank  payments `paid`  Order {order} was paid  [stdout]
      """
    ''',
)
def _told(docstring: str, narration_scene: Scene) -> None:
    """Compare the story as text, as ``print(story)`` writes it, spaces around lines apart."""
    wanted = [line.strip() for line in docstring.splitlines() if line.strip()]
    found = [line.strip() for line in str(_story(narration_scene)).splitlines()]
    if wanted != found:
        lines = (line.rstrip() for line in ndiff(wanted, found) if not line.startswith("?"))
        raise StepFailed("\n".join(["the story differs (- expected, + told):", *lines]))


@then(
    "the request's story goes through:",
    example="""
    Then the request's story goes through:
      | service | action |
      | shop    | placed |
      | bank    | paid   |
    """,
)
def _through(datatable: Table, narration_scene: Scene) -> None:
    """Expect these lines in the story's causal order; others may stand in between."""
    told = [(line.lane, line.action) for line in _story(narration_scene).lines]
    rest = iter(told)
    for service, action in pairs(datatable, headings=("service", "action")):
        if not any(lane.partition(" (")[0] == service and action == a for lane, a in rest):
            shown = "\n".join(f"  {lane} {a}" for lane, a in told) or "  (nothing)"
            raise StepFailed(
                f"the story has no line {service} {action} at this place; it tells:\n{shown}"
            )


@then(
    "the request's story is the approved one",
    example="Then the request's story is the approved one",
)
def _approved(narration_scene: Scene) -> None:
    """Compare with the approved story of this scenario, as ``assert story == story_snapshot`` does.

    Needs ``pip install "pytest-narration[snapshots]"``; ``pytest --snapshot-update`` writes it.
    """
    snapshot = narration_scene.fixture("story_snapshot")
    if _story(narration_scene) != snapshot:
        raise StoryChanged(
            "\n".join(snapshot.explanation() or ["the story is not the approved one"])
        )


@then(
    "the request's story has no contradiction",
    example="Then the request's story has no contradiction",
)
def _sound(narration_scene: Scene) -> None:
    """Judge by the rule ``causal-order``, and look for what contradicts the story's order."""
    problems = _story(narration_scene).problems
    if problems:
        raise StepFailed("\n".join(problem.text for problem in problems))
    judge(narration_scene, ["causal-order"])
