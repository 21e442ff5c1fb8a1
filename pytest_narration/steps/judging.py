"""Rules, secrets and coverage: properties that every story must have, and points that were reached.

Rules are those of ``docs/rules.md`` and the project's own, with the settings of
``[tool.narration.rules]``. A rule that cannot be judged fails the step, as a broken one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import StepFailed, StepMistake
from .phrase import then
from .scene import Scene
from .tables import Table, column, pairs

if TYPE_CHECKING:
    from ..coverage import PointResult

_SETTLE_SECONDS = 30.0


def judge(
    scene: Scene, rules: Sequence[str] | None, allow: Mapping[str, str] | None = None
) -> None:
    """Judge what the scenario narrated by rules, when everything is quiet.

    :raises NarrationViolation: one is broken or inconclusive.
    """
    __tracebackhide__ = True
    scene.settle(_SETTLE_SECONDS)
    scene.narration.assert_holds(rules, allow=allow or {})


@then("every rule holds", example="Then every rule holds")
def _all(narration_scene: Scene) -> None:
    """Judge by all rules that the project has not turned off."""
    judge(narration_scene, None)


@then("the rule/rules {names} hold/holds", example='Then the rules "job-own" and "job-linked" hold')
def _some(names: list[str], narration_scene: Scene) -> None:
    """Judge by the rules that are named."""
    judge(narration_scene, names)


@then(
    "every rule holds, except:",
    example="""
    Then every rule holds, except:
      | rule       | reason                       |
      | provenance | our logger numbers no lines |
    """,
)
def _except(datatable: Table, narration_scene: Scene) -> None:
    """Judge by all rules but these; each needs its reason."""
    judge(narration_scene, None, dict(pairs(datatable, headings=("rule", "reason"))))


@then("the rule {string} is broken", example='Then the rule "correlation-same" is broken')
def _broken(name: str, narration_scene: Scene) -> None:
    """Expect a violation: for scenarios that show what goes wrong."""
    narration_scene.settle(_SETTLE_SECONDS)
    (verdict,) = narration_scene.narration.check([name])
    if verdict.outcome != "broken":
        raise StepFailed(f"expected the rule {name} to be broken; it is {verdict.outcome}")


@then("no line is lost", example="Then no line is lost")
def _no_line_lost(narration_scene: Scene) -> None:
    """Judge by the rule ``provenance``: the numbers of each emitter have no gap and no repeat."""
    judge(narration_scene, ["provenance"])


@then("every job ends once", example="Then every job ends once")
def _terminated(narration_scene: Scene) -> None:
    """Judge by the rule ``terminated``."""
    judge(narration_scene, ["terminated"])


@then(
    "the text {string} is told nowhere",
    example='Then the text "hunter2" is told nowhere',
)
def _nowhere(text: str, narration_scene: Scene) -> None:
    """Look for a text, such as a secret, in all events, streams, unread lines and answers."""
    if not text:
        raise StepMistake("the empty text is everywhere: write the one that must not be told")
    scene = narration_scene
    scene.settle(_SETTLE_SECONDS)
    found = [
        f"{r.channel} of {r.source}: {r.event.service} {r.event.action} “{r.event.human}”"
        for r in scene.narration.records()
        if text in _flat(r.event.fields())
    ]
    found += [
        f"a frame {f.type!r} of {f.source}" for f in scene.narration.frames() if text in f.data
    ]
    found += [
        f"an unread line of {r.source}"
        for r in scene.narration.rejected
        if text.encode("utf-8", "surrogatepass") in r.line
    ]
    found += [
        f"the answer to {a.response.request.method} {a.response.request.url}"
        for a in scene.answers
        if text in a.response.text or text in str(dict(a.response.headers))
    ]
    if found:
        more = [f"  … and {len(found) - 10} more places"] if len(found) > 10 else []
        raise StepFailed(
            "\n".join([f"the text {text!r} is told in:", *(f"  {f}" for f in found[:10]), *more])
        )


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return "\0".join(f"{key}\0{_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return "\0".join(map(_flat, value))
    return str(value)


@then(
    "the scenario covers {names}", example='Then the scenario covers "shop.placed" and "shop.paid"'
)
def _covers(names: list[str], narration_scene: Scene) -> None:
    """Expect points of the catalog, each on every channel that it declares and with its ids."""
    _covered(narration_scene, names)


@then(
    "the scenario covers the points:",
    example="""
    Then the scenario covers the points:
      | shop.placed |
      | shop.paid   |
    """,
)
def _covers_points(datatable: Table, narration_scene: Scene) -> None:
    """Expect points of the catalog, each on every channel that it declares and with its ids."""
    _covered(narration_scene, column(datatable, heading="point"))


@then(
    "the scenario covers at least {number} % of {string}",
    example='Then the scenario covers at least 50 % of "shop"',
)
def _covers_share(percent: float, group: str, narration_scene: Scene) -> None:
    """Measure the points of one group of the catalog."""
    from ..coverage.results import figure_of

    results = [r for r in _results(narration_scene) if r.point.group == group]
    if not results:
        groups = ", ".join(narration_scene.catalog.groups)
        raise StepMistake(f'the catalog has no group "{group}"; groups are: {groups}')
    figure = figure_of(results)
    if figure.covered * 100 < percent * figure.total:
        missing = ", ".join(r.point.id for r in results if r.state in ("missed", "partial"))
        raise StepFailed(
            f"expected at least {percent:g} % of {group}; covered {figure.covered} of "
            f"{figure.total}. Missing: {missing}"
        )


def _covered(scene: Scene, ids: Sequence[str]) -> None:
    results = {r.point.id: r for r in _results(scene)}
    unknown = [name for name in ids if name not in results]
    if unknown:
        raise StepMistake(
            f'the catalog has no point "{unknown[0]}"; points are: {", ".join(sorted(results))}'
        )
    wrong = [f"  {name}: {results[name].state}" for name in ids if results[name].state != "covered"]
    if wrong:
        raise StepFailed("\n".join(["expected these points to be covered:", *wrong]))


def _results(scene: Scene) -> tuple[PointResult, ...]:
    from ..coverage import Collector, analyse
    from ..coverage.capabilities import detect

    scene.settle(_SETTLE_SECONDS)
    collector = Collector(scene.catalog)
    for record in scene.narration.records():
        collector.add(record.event, channel=record.channel, source=record.source)
    data = collector.take()
    data.capabilities = detect(scene.catalog.points, scene.catalog.capabilities)
    return analyse(scene.catalog, data).points
