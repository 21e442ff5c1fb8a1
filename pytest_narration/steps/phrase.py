"""A sentence with ``{parameters}`` -> a step that pytest-bdd finds, and that explains itself.

Phrases are written as Cucumber Expressions, which editors know: ``{string}`` is a parameter,
``is/are`` are alternatives. (Editors take Python texts with parentheses for regular expressions,
so no part of a phrase is optional.) The values of the parameters become the function's
first arguments, in order; the rest are fixtures. A phrase matches under any keyword: ``Given I
send …`` prepares with the same words as ``When I send …`` acts.
https://github.com/cucumber/cucumber-expressions
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

from pytest_bdd import step
from pytest_bdd.parsers import StepParser
from pytest_bdd.steps import step_function_context_registry

from ..errors import StepMistake
from .parameters import PARAMETERS, Parameter

__all__ = ["Keyword", "Phrase", "given", "phrases", "then", "when"]

Keyword = Literal["Given", "When", "Then"]
_Function = TypeVar("_Function", bound=Callable[..., Any])

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'"))
_TOKEN = re.compile(r"\{(?P<parameter>\w+)\}|(?P<words>[^\s{}/]+(?:/[^\s{}/]+)+)")


class Phrase(StepParser):
    """One phrase.

    :param text: the sentence.
    :param keyword: under which it reads best.
    :param example: a whole step, table or text below it included.
    """

    def __init__(
        self, text: str, keyword: Keyword, function: Callable[..., Any], example: str
    ) -> None:
        super().__init__(text)
        self.text = text
        self.keyword: Keyword = keyword
        self.function = function
        self.example = inspect.cleandoc(example)
        self.parameters = tuple(_parameters(text))
        signature = tuple(inspect.signature(function).parameters)
        self.arguments = signature[: len(self.parameters)]
        self.takes_table = "datatable" in signature
        self.takes_text = "docstring" in signature
        self.takes_json = self.takes_text and text.endswith("JSON:")
        self._regex = re.compile(_expression(text, lambda p: f"({p.regexp})"), re.DOTALL)
        loose = _expression(text.removesuffix(":"), lambda _: "(.+?)")
        self._loose = re.compile(f"{loose}:?", re.DOTALL | re.IGNORECASE)

    @property
    def about(self) -> str:
        """What it does, for people."""
        return inspect.getdoc(self.function) or ""

    @property
    def section(self) -> str:
        """Name of the module that has it, as part of the documentation."""
        return self.function.__module__.rpartition(".")[2]

    def is_matching(self, name: str) -> bool:
        """Whether a step's text is this phrase."""
        return self._regex.fullmatch(name) is not None

    def parse_arguments(self, name: str) -> dict[str, Any] | None:
        """Return ``{argument: value}`` of a step's text.

        :raises StepMistake: a value is written wrong.
        """
        match = self._regex.fullmatch(name)
        if match is None:
            return None
        values = zip(self.arguments, self.parameters, match.groups(), strict=True)
        return {argument: parameter.convert(text) for argument, parameter, text in values}

    def places(self, name: str) -> list[tuple[tuple[int, int], str]]:
        """Return ``[((begin, end), parameter's name), …]`` of the values in a step's text."""
        match = self._regex.fullmatch(name)
        if match is None:
            return []
        names = [parameter.name for parameter in self.parameters]
        return [(match.span(number), kind) for number, kind in enumerate(names, start=1)]

    def mistakes(self, name: str) -> list[str] | None:
        """Say what is wrong with a text that is nearly this phrase; ``None`` when it is not near.

        An empty list: only spaces, capitals or the colon at its end differ.
        """
        straight = name.translate(_QUOTES)
        if straight != name and self.is_matching(straight):
            return ["its quotes are typographic: write \" or '"]
        match = self._loose.fullmatch(" ".join(name.split()))
        if match is None:
            return None
        found = []
        for parameter, text in zip(self.parameters, match.groups(), strict=True):
            if re.fullmatch(parameter.regexp, text, re.DOTALL | re.IGNORECASE) is None:
                such = ", ".join(parameter.examples[:3])
                found.append(
                    f"{text} is no {{{parameter.name}}} ({parameter.about}): such as {such}"
                )
        return found

    def __repr__(self) -> str:
        return f"<{self.keyword} {self.text}>"


def given(text: str, *, example: str) -> Callable[[_Function], _Function]:
    """Make a phrase that says what there is."""
    return _decorator(text, "Given", example)


def when(text: str, *, example: str) -> Callable[[_Function], _Function]:
    """Make a phrase that says what happens."""
    return _decorator(text, "When", example)


def then(text: str, *, example: str) -> Callable[[_Function], _Function]:
    """Make a phrase that says what a reader observes."""
    return _decorator(text, "Then", example)


def _decorator(text: str, keyword: Keyword, example: str) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        phrase = Phrase(text, keyword, function, example)
        # Two frames up: the module whose namespace pytest looks through for fixtures.
        step(phrase, stacklevel=2)(function)
        return function

    return decorate


def phrases() -> list[Phrase]:
    """Return every phrase that is loaded, in the order of their making."""
    contexts = step_function_context_registry.values()
    return [context.parser for context in contexts if isinstance(context.parser, Phrase)]


def _parameters(text: str) -> Iterator[Parameter]:
    for name in re.findall(r"\{(\w+)\}", text):
        if name not in PARAMETERS:
            raise StepMistake(
                f"{text!r}: there is no parameter type {{{name}}}; types are: "
                f"{', '.join(PARAMETERS)}"
            )
        yield PARAMETERS[name]


def _expression(text: str, parameter: Callable[[Parameter], str]) -> str:
    """Return the phrase as a regular expression with one group for each parameter."""
    parts: list[str] = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(re.escape(text[position : match.start()]))
        if match["parameter"]:
            parts.append(parameter(PARAMETERS[match["parameter"]]))
        else:
            parts.append(f"(?:{'|'.join(map(re.escape, match['words'].split('/')))})")
        position = match.end()
    parts.append(re.escape(text[position:]))
    return "".join(parts)
