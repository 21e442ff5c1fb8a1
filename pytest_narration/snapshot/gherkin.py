"""A test item -> the scenario it runs, as Gherkin text, when pytest-bdd made it."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import pytest

__all__ = ["ScenarioText", "scenario_of"]


class ScenarioText(NamedTuple):
    """A scenario with the values of its example filled in."""

    name: str
    text: str


def scenario_of(item: pytest.Item) -> ScenarioText | None:
    """Return the item's scenario; ``None`` of tests that are none.

    pytest-bdd 9 keeps the template of each scenario under its test function, and the row of an
    outline's examples among the test's parameters.
    """
    module = sys.modules.get("pytest_bdd.scenario")
    registry = getattr(module, "scenario_wrapper_template_registry", None)
    function = getattr(item, "obj", None)
    if registry is None or function is None:
        return None
    try:
        template = registry.get(getattr(function, "__func__", function))
    except TypeError:
        return None  # a callable that takes no weak references is no scenario's
    if template is None:
        return None
    example = getattr(getattr(item, "callspec", None), "params", {}).get("_pytest_bdd_example", {})
    scenario = template.render(example)
    told = [f"Feature: {scenario.feature.name}", "", f"  {scenario.keyword}: {scenario.name}"]
    for step in scenario.steps:
        told.append(f"    {step.keyword.strip()} {step.name}")
        if step.datatable is not None:
            told += _table(step.datatable)
        if step.docstring is not None:
            told += ['      """', *(f"      {line}" for line in step.docstring.splitlines())]
            told.append('      """')
    # A fence inside of the text would end the block that shows it.
    return ScenarioText(scenario.name, "\n".join(told).replace("```", "'''"))


def _table(datatable: Any) -> list[str]:
    rows = [[str(cell.value) for cell in row.cells] for row in datatable.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"      | {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |"
        for row in rows
    ]
