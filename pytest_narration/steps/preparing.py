"""What a feature file gives a phrase -> checked and filled, just before its function is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import StepMistake
from .phrase import Phrase, phrases
from .scene import Scene, filled

if TYPE_CHECKING:
    from pytest_bdd.parser import Step

__all__ = ["phrase_of", "prepare"]


def phrase_of(function: Callable[..., Any]) -> Phrase | None:
    """Return the phrase that a step's function belongs to, ``None`` for other steps."""
    return next((phrase for phrase in phrases() if phrase.function is function), None)


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
