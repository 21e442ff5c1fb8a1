"""A step that nobody defined -> the phrase that was probably meant, and a stub to begin with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from textwrap import indent
from typing import TYPE_CHECKING, Any

from .parameters import PARAMETERS
from .phrase import Phrase
from .values import STRING

if TYPE_CHECKING:
    from pytest_bdd.parser import Step
    from pytest_bdd.parsers import StepParser

__all__ = ["stub", "suggestion", "undefined"]

_NEAR = 0.6
_SHOWN = 3
_SLOT = "\0"
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|\(\?P<\w+>[^()]*\)")
_GIVEN = re.compile(
    rf"{STRING}|{PARAMETERS['regex'].regexp}|{PARAMETERS['duration'].regexp}"
    rf"|(?<![\w.]){PARAMETERS['number'].regexp}"
)


def undefined(step: Step, parsers: Sequence[StepParser], *, where: str) -> str:
    """Return the message for a step that no phrase matches.

    :param parsers: of every step that is defined.
    """
    told = [f"no step is defined for: {step.keyword.strip()} {step.name}", f"  {where}"]
    told += suggestion(step.name, parsers)
    told += ["", "To define it, put this into conftest.py or a module of steps and fill it in:", ""]
    return "\n".join([*told, indent(stub(step), "    ")])


def suggestion(text: str, parsers: Iterable[StepParser]) -> list[str]:
    """Say which phrases are near, and what keeps the text from being one of them."""
    nearly: list[str] = []
    ranked: list[tuple[float, str]] = []
    for parser in parsers:
        mistakes = parser.mistakes(text) if isinstance(parser, Phrase) else None
        if mistakes is not None:
            nearly.append(_nearly(parser, mistakes))
            continue
        likeness = SequenceMatcher(None, _masked(text), _bare(parser.name)).ratio()
        if likeness >= _NEAR:
            ranked.append((likeness, _shown(parser)))
    if nearly:
        return nearly[:_SHOWN]
    best = [shown for _, shown in sorted(ranked, reverse=True)[:_SHOWN]]
    return ["did you mean:", *best] if best else []


def stub(step: Step) -> str:
    """Return a step function in Python for the step, ready to be filled in."""
    arguments: list[str] = []

    def placeholder(match: re.Match[str]) -> str:
        found = match[0]
        is_number = found[0].isdecimal() and found.isdecimal()
        name = f"{'number' if is_number else 'text'}_{len(arguments) + 1}"
        arguments.append(f"{name}: {'int' if is_number else 'str'}")
        slot = f"{{{name}:d}}" if is_number else f"{{{name}}}"
        return f'"{slot}"' if found[0] == '"' else slot

    # Braces of the text itself are doubled for parsers.parse.
    text = _GIVEN.sub(placeholder, step.name.replace("{", "{{").replace("}", "}}"))
    if step.datatable is not None:
        arguments.append("datatable: list[list[str]]")
    if step.docstring is not None:
        arguments.append("docstring: str")
    has_values = "{" in text
    wanted = f"parsers.parse({text!r})" if has_values else repr(text)
    imports = f"{step.type}, parsers" if has_values else step.type
    return (
        f"from pytest_bdd import {imports}\n\n"
        f"@{step.type}({wanted})\n"
        f"def _({', '.join(arguments)}):\n"
        f"    raise NotImplementedError\n"
    )


def _nearly(parser: Any, mistakes: list[str]) -> str:
    if not mistakes:
        return f"nearly: {parser.text}\n  only capitals or spaces differ"
    return "\n  ".join([f"nearly: {parser.text}", *mistakes])


def _shown(parser: StepParser) -> str:
    if isinstance(parser, Phrase):
        return f"  {parser.text}\n" + indent(parser.example, "      ")
    return f"  {parser.name}"


def _masked(text: str) -> str:
    return _GIVEN.sub(_SLOT, text).lower()


def _bare(phrase: str) -> str:
    return _PLACEHOLDER.sub(_SLOT, phrase).replace('"', "").lower()
