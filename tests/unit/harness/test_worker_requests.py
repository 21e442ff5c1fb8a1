"""What ``POST /execute`` accepts, and the name of everything that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.services.limits import MAX_PROMPT_CHARS, MAX_TOKENS
from harness.services.worker.requests import InferenceRequest, Invalid, read

FINE = {"prompt": "hi"}


def test_a_prompt_is_enough() -> None:
    assert read(FINE) == InferenceRequest("hi", 64, 0, 0.0, 60_000)


def test_everything_can_be_said() -> None:
    body = {
        "job_id": "ignored",
        "prompt": "hi",
        "max_tokens": 3,
        "seed": 4,
        "temperature": 1,
        "timeout_ms": 500,
        "max_tok_per_s": 20,
    }
    assert read(body) == InferenceRequest("hi", 3, 4, 1.0, 500, 20)


def test_null_means_not_said() -> None:
    assert read({**FINE, "seed": None, "max_tokens": None}) == read(FINE)


def test_the_longest_prompt_and_the_most_tokens_are_allowed() -> None:
    asked = read({"prompt": "x" * MAX_PROMPT_CHARS, "max_tokens": MAX_TOKENS})
    assert (len(asked.prompt), asked.max_tokens) == (MAX_PROMPT_CHARS, MAX_TOKENS)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ([], "body_not_object"),
        (None, "body_not_object"),
        ({}, "prompt_missing"),
        ({"prompt": None}, "prompt_not_string"),
        ({"prompt": 7}, "prompt_not_string"),
        ({"prompt": ["a"]}, "prompt_not_string"),
        ({"prompt": ""}, "prompt_empty"),
        ({"prompt": " \n\t"}, "prompt_empty"),
        ({"prompt": "x" * (MAX_PROMPT_CHARS + 1)}, "prompt_too_long"),
        ({**FINE, "max_tokens": 0}, "max_tokens_out_of_range"),
        ({**FINE, "max_tokens": -1}, "max_tokens_out_of_range"),
        ({**FINE, "max_tokens": MAX_TOKENS + 1}, "max_tokens_out_of_range"),
        ({**FINE, "max_tokens": 10**30}, "max_tokens_out_of_range"),
        ({**FINE, "max_tokens": True}, "max_tokens_not_integer"),
        ({**FINE, "max_tokens": 1.0}, "max_tokens_not_integer"),
        ({**FINE, "max_tokens": "5"}, "max_tokens_not_integer"),
        ({**FINE, "seed": -1}, "seed_out_of_range"),
        ({**FINE, "seed": 1 << 63}, "seed_out_of_range"),
        ({**FINE, "seed": 0.5}, "seed_not_integer"),
        ({**FINE, "temperature": -0.1}, "temperature_out_of_range"),
        ({**FINE, "temperature": 10.5}, "temperature_out_of_range"),
        ({**FINE, "temperature": float("nan")}, "temperature_out_of_range"),
        ({**FINE, "temperature": False}, "temperature_not_number"),
        ({**FINE, "temperature": "hot"}, "temperature_not_number"),
        ({**FINE, "timeout_ms": 0}, "timeout_ms_out_of_range"),
        ({**FINE, "timeout_ms": 600_001}, "timeout_ms_out_of_range"),
        ({**FINE, "timeout_ms": []}, "timeout_ms_not_integer"),
        ({**FINE, "max_tok_per_s": 0}, "max_tok_per_s_out_of_range"),
        ({**FINE, "max_token": 3}, "unknown_field"),
    ],
)
def test_what_is_wrong_has_a_name(body: Any, kind: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(body)
    assert raised.value.error_kind == kind


def test_a_message_says_what_was_expected_and_found() -> None:
    with pytest.raises(Invalid, match=r"`max_tokens` must be an integer, got a fraction"):
        read({**FINE, "max_tokens": 1.5})
    with pytest.raises(Invalid, match=r"unknown field `max_token`; known are .*max_tokens"):
        read({**FINE, "max_token": 3})


def test_a_message_never_repeats_a_prompt() -> None:
    with pytest.raises(Invalid) as raised:
        read({"prompt": "sesame" * MAX_PROMPT_CHARS})
    assert "sesame" not in raised.value.message
