"""A JSON value becomes checked fields, or one answer that names everything that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.web import ApiError, Fields


def _read(body: object) -> tuple[str | None, int | None]:
    fields = Fields(body)
    prompt = fields.text("prompt", required=True, longest=10)
    tokens = fields.integer("max_tokens", lowest=1, highest=512)
    fields.number("temperature", lowest=0.0, highest=2.0)
    fields.choice("operation", ("infer",))
    fields.done()
    return prompt, tokens


def _message(body: object) -> str:
    with pytest.raises(ApiError) as refused:
        _read(body)
    assert refused.value.code == "invalid_request"
    assert refused.value.status == 400
    return refused.value.message


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], "the body must be a JSON object, got an array"),
        (None, "the body must be a JSON object, got null"),
        ({}, "`prompt` is required"),
        ({"prompt": None}, "`prompt` is required"),
        ({"prompt": ""}, "`prompt` must have 1 to 10 characters, got an empty one"),
        ({"prompt": "   "}, "`prompt` must not be blank"),
        ({"prompt": "x" * 11}, "`prompt` must have 1 to 10 characters, got 11"),
        ({"prompt": 7}, "`prompt` must be a string, got an integer"),
        ({"prompt": "x", "max_tokens": True}, "`max_tokens` must be an integer, got a boolean"),
        ({"prompt": "x", "max_tokens": 1.0}, "`max_tokens` must be an integer, got a fraction"),
        ({"prompt": "x", "max_tokens": 0}, "`max_tokens` must be 1 to 512, got 0"),
        ({"prompt": "x", "max_tokens": 513}, "`max_tokens` must be 1 to 512, got 513"),
        ({"prompt": "x", "temperature": False}, "`temperature` must be a number, got a boolean"),
        ({"prompt": "x", "temperature": 2.1}, "`temperature` must be 0.0 to 2.0, got 2.1"),
        ({"prompt": "x", "operation": "train"}, '`operation` must be "infer", got a string'),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_found(
    body: object, complaint: str
) -> None:
    assert complaint in _message(body)


def test_all_complaints_come_at_once() -> None:
    message = _message({"prompt": 1, "max_tokens": "many", "colour": "red"})
    assert "`prompt`" in message
    assert "`max_tokens`" in message
    assert "unknown field `colour`; known are prompt, max_tokens, temperature" in message


def test_a_text_value_is_never_repeated() -> None:
    """A prompt may hold what must not reach a log."""
    assert "hunter2" not in _message({"prompt": "hunter2 hunter2", "max_tokens": "hunter2"})


def test_right_fields_are_returned() -> None:
    fields = Fields({"prompt": "hi", "max_tokens": 5, "temperature": 1})
    assert fields.text("prompt", longest=10) == "hi"
    assert fields.integer("max_tokens", lowest=1, highest=9) == 5
    assert fields.number("temperature", lowest=0, highest=2) == 1.0
    assert fields.integer("seed", lowest=0, highest=9, default=3) == 3
    assert fields.choice("operation", ("infer",)) == "infer"
    fields.done()


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["prompt", "max_tokens", "temperature", "x"]), _JSON) | _JSON
)
def test_any_json_is_either_accepted_or_refused_as_invalid(body: Any) -> None:
    """No value gets through as a type that it is not, and none breaks the check."""
    try:
        prompt, tokens = _read(body)
    except ApiError as refused:
        code = refused.code
    else:
        code = "invalid_request"
        assert isinstance(prompt, str)
        assert prompt.strip()
        assert tokens is None or type(tokens) is int
    assert code == "invalid_request"
