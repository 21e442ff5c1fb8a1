"""The library as a whole: every phrase exists once, is explained, and means one thing."""

from __future__ import annotations

import re
from itertools import islice, product
from pathlib import Path

import pytest

from pytest_narration.steps import SECTIONS
from pytest_narration.steps.listing import all_phrases, as_markdown
from pytest_narration.steps.parameters import PARAMETERS
from pytest_narration.steps.phrase import Phrase

PHRASES = all_phrases()
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "steps.md"
KEYWORD = re.compile(r"(Given|When|Then) (.*)")

# Texts that look like the words of other phrases: quotes must hold them in.
NASTY = {
    "string": ('" is seen"', '"a" and "b"', '"x" within 2 s', "'the event \"a\" is seen'"),
    "json": ('{"a": "} is seen"}', '["with the JSON {}"]'),
    "event": (
        'any event saying "is seen within 2 s"',
        'the event "a and the event" of "b is seen on stdout"',
        'an event with "of" = "no events are seen", "by" = /at level/',
    ),
    "value": ('"seen within 2 s"', 'one of "is seen", "on stdout" or "has the fields:"'),
    "regex": ("/ is seen on stdout and never/",),
}


def samples(phrase: Phrase) -> list[str]:
    """Texts of a phrase: each parameter in each of its forms, each word of its alternatives."""
    texts = []
    slots = [[*p.examples, *NASTY.get(p.name, ())] for p in phrase.parameters]
    slots = [
        [text for text in slot if fits(name, text)]
        for slot, name in zip(slots, [p.regexp for p in phrase.parameters], strict=True)
    ]
    widest = max(map(len, slots), default=1)
    # Every form of every parameter once, and then all together as far as that is sensible.
    rows = [tuple(slot[n % len(slot)] for slot in slots) for n in range(widest)]
    for values in dict.fromkeys([*rows, *islice(product(*slots), 400)]):
        texts += variants(phrase.text, list(values))
    return texts


def fits(regexp: str, text: str) -> bool:
    return re.fullmatch(regexp, text, re.DOTALL) is not None


def variants(text: str, values: list[str]) -> list[str]:
    """Fill a phrase in, with each alternative."""
    pieces = re.split(r"(\{\w+\}|[^\s{}/]+(?:/[^\s{}/]+)+)", text)
    rest = iter(values)
    options = []
    for piece in pieces:
        if piece.startswith("{"):
            options.append([next(rest)])
        else:
            options.append(piece.split("/") if re.fullmatch(r"\S+(/\S+)+", piece) else [piece])
    return ["".join(choice) for choice in product(*options)]


def test_there_are_phrases_in_every_section() -> None:
    assert {phrase.section for phrase in PHRASES} == set(SECTIONS)


def test_every_phrase_exists_once() -> None:
    texts = [phrase.text for phrase in PHRASES]

    assert sorted(texts) == sorted(set(texts))


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.text)
def test_a_text_of_a_phrase_is_no_other_phrase(phrase: Phrase) -> None:
    """pytest-bdd would choose one of two silently."""
    texts = samples(phrase)
    assert texts

    for text in texts:
        matching = [other.text for other in PHRASES if other.is_matching(text)]
        assert matching == [phrase.text], text


def test_no_phrase_has_parentheses_which_editors_take_for_a_regular_expression() -> None:
    assert [phrase.text for phrase in PHRASES if "(" in phrase.text] == []


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.text)
def test_an_example_is_its_own_phrase_with_the_values_that_it_shows(phrase: Phrase) -> None:
    first, *below = phrase.example.splitlines()
    found = KEYWORD.fullmatch(first)

    assert found is not None
    assert found[1] == phrase.keyword
    assert phrase.is_matching(found[2])
    assert set(phrase.parse_arguments(found[2]) or {}) == set(phrase.arguments)
    assert bool(below) == (phrase.takes_table or phrase.takes_text)
    assert phrase.takes_table == any(line.strip().startswith("|") for line in below)
    assert phrase.takes_text == any(line.strip() == '"""' for line in below)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.text)
def test_a_phrase_is_explained_in_a_sentence(phrase: Phrase) -> None:
    first = phrase.about.splitlines()[0]

    assert first.endswith((".", ",", ";")), first
    assert len(first) <= 100


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.text)
def test_a_phrase_announces_a_table_or_a_text_with_a_colon(phrase: Phrase) -> None:
    assert phrase.text.endswith(":") == (phrase.takes_table or phrase.takes_text)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda p: p.name)
def test_examples_of_a_parameter_are_valid_and_can_be_converted(parameter: object) -> None:
    assert isinstance(parameter, type(PARAMETERS["int"]))
    assert re.compile(parameter.regexp).groups == 0, "a group would shift the values of a phrase"
    for example in parameter.examples:
        assert re.fullmatch(parameter.regexp, example), example
        parameter.convert(example)


def test_the_documentation_is_what_the_phrases_say() -> None:
    assert DOCUMENTATION.read_text("utf-8") == as_markdown(PHRASES), (
        "run: narration steps --markdown > docs/steps.md"
    )
