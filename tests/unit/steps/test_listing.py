"""``narration steps``: the list, the search, the explanation of a step."""

from __future__ import annotations

import json
import re

import pytest

from pytest_narration.cli import main
from pytest_narration.steps.listing import all_phrases, as_markdown


def test_every_phrase_is_listed_with_what_it_does_and_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["steps"]) == 0

    told = capsys.readouterr().out
    for phrase in all_phrases():
        assert f"{phrase.keyword} {phrase.text}\n" in told
    assert (
        "Then {event} is seen within {duration}\n"
        "    Wait so long, at most, for such an event.\n"
        '      Then the event "paid" is seen within 2 s\n'
    ) in told


def test_words_narrow_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "FROZEN"]) == 0

    told = capsys.readouterr().out
    assert "When the service {string} is frozen" in told
    assert "is seen" not in told


def test_words_that_no_phrase_has_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "unicorn", "seen"]) == 1
    assert capsys.readouterr().out == "no phrase has the words unicorn seen\n"


def test_a_step_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "--match", 'Then the event "paid" is seen within 20 ms']) == 0

    told = capsys.readouterr().out
    assert "Then {event} is seen within {duration}" in told
    assert "limit = 0.02" in told


def test_a_step_that_is_none_is_explained_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "--match", "the event paid is seen within 2 sec"]) == 1

    told = capsys.readouterr().out
    assert "no phrase: the event paid is seen within 2 sec" in told
    assert "2 sec is no {duration} (a duration: ms, s or min, or the whole words): such as" in told


def test_the_settings_for_editors_are_valid_and_match_what_the_phrases_use() -> None:
    page = as_markdown(all_phrases())
    found = re.search(r"```json\n(.*?)\n```", page, re.DOTALL)
    assert found is not None

    settings = json.loads(found[1])

    types = {entry["name"] for entry in settings["cucumber.parameterTypes"]}
    used = set(re.findall(r"\{(\w+)\}", " ".join(phrase.text for phrase in all_phrases())))
    assert used <= types | {"string", "int"}
