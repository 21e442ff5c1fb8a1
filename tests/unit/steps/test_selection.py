"""Events described in words: what the words mean, and that nothing else is understood."""

from __future__ import annotations

import re

import pytest

from pytest_narration.errors import StepMistake
from pytest_narration.steps.parameters import PARAMETERS
from pytest_narration.steps.selection import ARTICLE, SELECTION, Selection, selection


def said(**fields: object) -> dict[str, object]:
    nothing = {
        "action": None, "saying": None, "point": None, "service": None, "actor": None,
        "levels": (), "fields": (), "scope": None,
    }  # fmt: skip
    return nothing | fields


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("any event", said()),
        ('the event "a"', said(action="a")),
        ('an event saying "Took \\"it\\""', said(saying='Took "it"')),
        ('the event "a" of "s" by "p"', said(action="a", service="s", actor="p")),
        ('an event at level "warn"', said(levels=("warn",))),
        ('any event at level "warn" or above', said(levels=("warn", "error", "fatal"))),
        ('the event with "n" = 3, "x.y" = "z"', said(fields=(("n", 3), ("x.y", "z")))),
        ('the event "a" with "ok" = true for the request',
         said(action="a", fields=(("ok", True),), scope="request")),
        ('the event "a" for the job', said(action="a", scope="job")),
        ('the point "s.a" for the job', said(point="s.a", scope="job")),
        ('events "a" of "s"', said(action="a", service="s")),
        ('point "s.a"', said(point="s.a")),
    ],
)  # fmt: skip
def test_words_become_conditions(text: str, meaning: dict[str, object]) -> None:
    pattern = SELECTION if text.startswith(("events", "point ")) else ARTICLE
    assert re.fullmatch(pattern, text)

    found = selection(text)

    assert {name: getattr(found, name) for name in meaning} == meaning
    assert str(found) == text


def test_an_expression_is_found_in_the_sentence() -> None:
    found = selection("an event saying /Refused: .+/i").saying

    assert isinstance(found, re.Pattern)
    assert found.search("it was refused: no funds")


@pytest.mark.parametrize(
    "text",
    [
        "the event checkout",
        'the event "a" by "p" of "s"',
        'the "a"',
        'the event "a" at level "warn" and above',
        'the event "a" with n = 3',
        'the event "a" saying refused',
        "",
    ],
)
def test_other_words_describe_no_events(text: str) -> None:
    assert not re.fullmatch(ARTICLE, text)
    with pytest.raises(StepMistake, match=r"describes no events; write, for example"):
        selection(text)


def test_a_level_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(StepMistake, match="'warning' is no level; levels are: trace, debug"):
        selection('any event at level "warning"')


def test_saved_values_are_put_into_every_text() -> None:
    text = 'the event "${x}" saying "${x}" of "${x}" by "${x}" with "n" = "${x}", "m" = 1'
    found = selection(text).filled(lambda text: text.replace("${x}", "y"))

    assert found == Selection(
        text=text.replace("${x}", "y"),
        action="y",
        saying="y",
        service="y",
        actor="y",
        fields=(("n", "y"), ("m", 1)),
    )


def test_names_are_a_list() -> None:
    names = PARAMETERS["names"]

    assert names.convert('"a", "b and c" and "d"') == ["a", "b and c", "d"]
    assert names.convert('"a"') == ["a"]
