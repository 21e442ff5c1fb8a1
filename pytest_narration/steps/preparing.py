"""What a feature file gives a phrase -> checked and filled, just before its function is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_bdd.steps import step_function_context_registry

from ..errors import StepMistake
from .phrase import Phrase, phrases
from .scene import Scene
from .values import filled

if TYPE_CHECKING:
    from pytest_bdd.parser import Feature, Scenario, Step

__all__ = ["check_steps", "phrase_of", "prepare"]


def phrase_of(function: Callable[..., Any]) -> Phrase | None:
    """Return the phrase that a step's function belongs to, ``None`` for other steps."""
    return next((phrase for phrase in phrases() if phrase.function is function), None)


def check_steps(feature: Feature, scenario: Scenario) -> None:
    """Refuse lines that Gherkin takes for a description although they are steps.

    :raises StepMistake: a step lacks its keyword, or there is none at all.
    """
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
