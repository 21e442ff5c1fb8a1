"""What people write who have not read the list, and the phrases that they are led to."""

from __future__ import annotations

import pytest

from pytest_narration.steps.listing import all_phrases
from pytest_narration.steps.suggestions import suggestion

PHRASES = all_phrases()

MEANT = {
    "the answer should be 200": "the answer is {int}",
    "the status is 200": "the answer is {int}",
    "the response is 201": "the answer is {int}",
    'the answer is "200"': "the answer is {int}",
    "the event placed is seen": "{event} is seen",
    'the event "x" is seen 3 times': "{event} is seen",
    'the event "a" happens before "b"': "{event} comes before {event}",
    "no errors are logged": "no {events} is/are seen",
    "the stream ends": "the stream ends with {string}",
    "the coverage is at least 80 %": "the scenario covers at least {number} % of {string}",
    'I restart the service "shop"': "the service {string} is restarted",
    "all events have the same trace id": "every event of the request is in my trace",
    'I stop the service "shop"': "the service {string} is stopped",
    'I kill "shop"': "the service {string} is killed",
    'the event "x" occurs 3 times': "{amount} {events} is/are seen",
    'the answer\'s body is "x"': "the answer's text is {value}",
    'I send GET "/menu" with headers:': "I send {method} {string} with the headers:",
    'I send POST "/menu" with JSON:': "I send {method} {string} with the JSON:",
    'I send GET request "/menu"': "I send {method} {string}",
    "the correlation id is the same everywhere": (
        "every event of the request carries its correlation id"
    ),
}


@pytest.mark.parametrize("said", MEANT)
def test_a_sentence_of_ones_own_leads_to_the_phrase_that_is_meant(said: str) -> None:
    told = suggestion(said, PHRASES)

    assert f"  {MEANT[said]}" in [line for text in told for line in text.splitlines()]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("the event “placed” is seen", "its quotes are typographic: write \" or '"),
        ("the answer has", "only capitals, spaces or the colon at its end differ"),
        ("the answer is a success:", "only capitals, spaces or the colon at its end differ"),
        ("The  answer has:", "only capitals, spaces or the colon at its end differ"),
    ],
)
def test_what_is_nearly_the_phrase_is_told_what_differs(said: str, why: str) -> None:
    assert suggestion(said, PHRASES)[2:] == [f"  {why}"]


@pytest.mark.parametrize("said", ["the moon is full", "dogs bark", 'I click on the button "Buy"'])
def test_what_is_far_from_every_phrase_is_led_to_none(said: str) -> None:
    assert suggestion(said, PHRASES) == []
