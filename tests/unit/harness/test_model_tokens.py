"""The byte tokenizer: any text there and back, streamed one token at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.worker.tokens import BOS, EOS, TextStream, encode

modest = settings(max_examples=60, deadline=None)


@modest
@given(st.text())
def test_any_text_comes_back_from_its_tokens(text: str) -> None:
    stream = TextStream()
    begin, *tokens = encode(text)
    assert begin == BOS
    assert "".join(map(stream.feed, tokens)) + stream.finish() == text


@modest
@given(st.lists(st.integers(0, 255)))
def test_any_bytes_become_the_text_that_decoding_them_at_once_gives(tokens: list[int]) -> None:
    stream = TextStream()
    text = "".join(map(stream.feed, tokens)) + stream.finish()
    assert text == bytes(tokens).decode("utf-8", "replace")


def test_a_character_appears_with_its_last_byte() -> None:
    stream = TextStream()
    assert [stream.feed(byte) for byte in "é€".encode()] == ["", "é", "", "", "€"]


def test_the_last_token_flushes_an_unfinished_character() -> None:
    stream = TextStream()
    assert stream.feed("é".encode()[0], last=True) == "\ufffd"
    assert stream.finish() == ""


def test_specials_have_no_text() -> None:
    stream = TextStream()
    assert stream.feed(BOS) == stream.feed(EOS) == ""


def test_a_lone_surrogate_has_no_encoding() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode("\ud800")
