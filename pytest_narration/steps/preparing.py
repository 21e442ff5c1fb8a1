"""What a feature file gives a phrase -> checked and filled, just before its function is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gherkin.dialect import Dialect
from pytest_bdd.steps import step_function_context_registry

from ..errors import StepMistake
from .phrase import Phrase, phrases
from .scene import Scene
from .values import filled

if TYPE_CHECKING:
    from pytest_bdd.parser import Feature, Scenario, ScenarioTemplate, Step

_PLACEHOLDER = re.compile(r"<([^<>\s](?:[^<>]*[^<>\s])?)>")

__all__ = ["check_steps", "phrase_of", "prepare"]


def phrase_of(function: Callable[..., Any]) -> Phrase | None:
    """Return the phrase that a step's function belongs to, ``None`` for other steps."""
    return next((phrase for phrase in phrases() if phrase.function is function), None)


def check_steps(feature: Feature, scenario: Scenario) -> None:
    """Refuse what would pass without testing what it says.

    :raises StepMistake: a step lacks its keyword, there is none, or an outline has no values.
    """
    for template in feature.scenarios.values():
        if template.line_number == scenario.line_number:
            _check_outline(template)
    lines = [line.strip() for line in scenario.description.splitlines() if line.strip()]
    parsers = [context.parser for context in step_function_context_registry.values()]
    for line in lines:
        if any(parser.is_matching(line) for parser in parsers):
            raise StepMistake(
                f"this line is a step without its keyword, and would be ignored: {line}\n"
                "begin it with Given, When, Then, And or But"
            )
    before = [feature.background, scenario.rule.background if scenario.rule else None]
    inherited = sum(len(background.steps) for background in before if background is not None)
    if len(scenario.steps) == inherited:
        found = f"; its lines are read as a description: {lines[0]} …" if lines else ""
        raise StepMistake(
            f"the scenario has no step of its own, so it would pass whatever happens{found}\n"
            "a step begins with Given, When, Then, And or But"
        )


def _check_outline(template: ScenarioTemplate) -> None:
    """Refuse placeholders that would stay as they are."""
    dialect = Dialect.for_name(template.feature.language)
    is_outline = dialect is not None and template.keyword in dialect.scenario_outline_keywords
    if is_outline and not template.examples:
        raise StepMistake(
            f"this is a {template.keyword} without a table of Examples, so nothing stands for what "
            "is between < and >: add one, or make it a Scenario"
        )
    columns = {name for examples in template.examples for name in examples.example_params}
    used = set(_PLACEHOLDER.findall("\n".join([template.name, *map(_whole, template.steps)])))
    # What no column is named after may be meant as it stands, such as HTML; not so when a column
    # is left over.
    if (unknown := sorted(used - columns)) and (unused := sorted(columns - used)):
        raise StepMistake(
            f"<{unknown[0]}> is no column of the Examples, and would stay as it is; "
            f"nothing uses the column: {', '.join(unused)}"
        )


def _whole(step: Step) -> str:
    rows = step.datatable.raw() if step.datatable is not None else ()
    cells = [str(cell) for row in rows for cell in row]
    return "\n".join([step.name, *cells, step.docstring or ""])


def prepare(phrase: Phrase, step: Step, arguments: dict[str, Any]) -> None:
    """Refuse a table or text that would be ignored, and put saved values into the arguments.

    :raises StepMistake: the phrase takes no table or no text, or a value was never saved.
    """
    if step.datatable is not None and not phrase.takes_table:
        raise StepMistake(
            f"this step takes no table, and would ignore the one below it{_hint(phrase)}"
        )
    if step.docstring is not None and not phrase.takes_text:
        raise StepMistake(
            f"this step takes no text, and would ignore the one below it{_hint(phrase)}"
        )
    scene = arguments.get("narration_scene")
    if not isinstance(scene, Scene):
        return
    for name, value in arguments.items():
        if name == "docstring" and phrase.takes_json and isinstance(value, str):
            arguments[name] = scene.fill(value, escape=True)
        elif value is not scene:
            arguments[name] = filled(value, scene.fill)


def _hint(phrase: Phrase) -> str:
    """Return the phrases that begin alike and take one."""
    longer = [p.text for p in phrases() if p.text.startswith(phrase.text) and p.text[-1] == ":"]
    return f"; there is: {longer[0]}" if longer else ""
