"""A step that nobody defined -> the phrase that was probably meant, and a stub to begin with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from textwrap import indent
from typing import TYPE_CHECKING

from .parameters import PARAMETERS
from .phrase import Phrase
from .values import STRING

if TYPE_CHECKING:
    from pytest_bdd.parser import Step
    from pytest_bdd.parsers import StepParser
    from pytest_bdd.steps import StepFunctionContext

__all__ = ["stub", "suggestion", "undefined"]

_NEAR = 0.45
_SHOWN = 3
_SLOT = "\0"
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|\(\?P<\w+>[^()]*\)")
_GIVEN = re.compile(
    rf"{STRING}|{PARAMETERS['regex'].regexp}|{PARAMETERS['duration'].regexp}"
    rf"|(?<![\w.]){PARAMETERS['number'].regexp}"
)

_EVENT = re.compile(rf"{PARAMETERS['event'].regexp}|\b{PARAMETERS['method'].regexp}\b")
_CLEARLY = 0.1
_COMMON = frozenset({"and", "are", "for", "has", "have", "the", "that", "then", "this", "with"})
_SAME = {
    "response": "answer",
    "reply": "answer",
    "body": "text",
    "logged": "seen",
    "occurs": "seen",
    "happens": "comes",
}
_STEM = 4


def undefined(
    step: Step, later: Sequence[Step], contexts: Sequence[StepFunctionContext], *, where: str
) -> str:
    """Return the message for a step that no phrase matches.

    :param later: the scenario's steps after it; those that are undefined too are told along.
    :param contexts: every step that is defined, wherever.
    """
    parsers = [context.parser for context in contexts]
    told = [f"no step is defined for: {step.keyword.strip()} {step.name}", f"  {where}"]
    near = _elsewhere(step, contexts) or suggestion(step.name, parsers)
    told += near or [
        "no phrase is near; `narration steps WORD` lists those that have a word in them"
    ]
    told += ["", "To define it, put this into conftest.py or a module of steps and fill it in:", ""]
    told.append(indent(stub(step), "    "))
    for other in later:
        if not any(parser.is_matching(other.name) for parser in parsers):
            told.append(f"undefined too: {other.keyword.strip()} {other.name}")
            told += [f"  {line}" for line in suggestion(other.name, parsers)]
    return "\n".join(told)


def _elsewhere(step: Step, contexts: Sequence[StepFunctionContext]) -> list[str]:
    """Say of a step of exactly this text why it is not the one."""
    told = []
    for context in contexts:
        if context.parser.is_matching(step.name):
            where = f"{context.step_func.__module__}.{context.step_func.__name__}"
            if context.type not in (None, step.type):
                told.append(
                    f"{where} is this step, defined for {context.type.title()} and not for "
                    f"{step.type.title()}: use @step from pytest_bdd, which is for any keyword"
                )
            else:
                told.append(f"{where} is this step, in a module that this feature does not see")
    return told


def suggestion(text: str, parsers: Iterable[StepParser]) -> list[str]:
    """Say which phrases are near, and what keeps the text from being one of them."""
    nearly: list[tuple[int, int, Phrase, list[str]]] = []
    ranked: dict[str, float] = {}
    for parser in parsers:
        if (likeness := _likeness(text, parser)) >= _NEAR:
            ranked[_shown(parser)] = likeness
        mistakes = parser.mistakes(text) if isinstance(parser, Phrase) else None
        if mistakes is not None and isinstance(parser, Phrase):
            # Of phrases with as many mistakes the one that says most in its own words is meant.
            nearly.append((len(mistakes), -len(_bare(parser.text)), parser, mistakes))
    if nearly:
        *_, phrase, mistakes = min(nearly, key=lambda entry: entry[:2])
        # A parameter that had to take in half of the sentence says that another phrase is meant.
        most = max(ranked.values(), default=0.0) - _CLEARLY
        if not mistakes or _likeness(text, phrase) >= most:
            why = mistakes or ["only capitals, spaces or the colon at its end differ"]
            return ["did you mean:", _shown(phrase), *(f"  {mistake}" for mistake in why)]
    best = sorted(ranked, key=lambda shown: -ranked[shown])[:_SHOWN]
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


def _shown(parser: StepParser) -> str:
    if isinstance(parser, Phrase):
        return f"  {parser.text}\n" + indent(parser.example, "      ")
    return f"  {parser.name}"


def _likeness(text: str, parser: StepParser) -> float:
    """Return from 0 to 1 how near a text is, by its letters and by words of the explanation."""
    letters = SequenceMatcher(None, _masked(text), _bare(parser.name)).ratio()
    told = parser.name
    if isinstance(parser, Phrase):
        told = f"{parser.text} {parser.about} {parser.example}"
    said = _words(_GIVEN.sub(" ", text))
    words = len(said & _words(told)) / max(len(said), 1)
    return (letters + words) / 2


def _words(text: str) -> set[str]:
    """Return the words that mean something, by how they begin."""
    found = set(re.findall(r"[a-z]{3,}", text.lower())) - _COMMON
    return {_SAME.get(word, word)[:_STEM] for word in found}


def _masked(text: str) -> str:
    return _GIVEN.sub(_SLOT, _EVENT.sub(_SLOT, text)).lower()


def _bare(phrase: str) -> str:
    return _PLACEHOLDER.sub(_SLOT, phrase).replace('"', "").lower()
