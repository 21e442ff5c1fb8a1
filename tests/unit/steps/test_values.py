"""What scenarios expect of values: the words, what they accept, and what is written wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import StepMistake
from pytest_narration.recorder import accepts
from pytest_narration.steps.json_path import JsonPath
from pytest_narration.steps.values import STRING, VALUE, amount, cell, literal, quoted, regex, value

DOCUMENT = {"a": [{"n": 1, "x.y": "deep"}, {"n": 2}], "b": {"c": None, "d": []}, "é": True}


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('"paid"', ["paid"], ["Paid", "paid ", None, 1]),
        ("'it is \"so\"'", ['it is "so"'], ["it is so"]),
        (r'"a\nb\u00e9\"\\"', ['a\nbé"\\'], ["anbé"]),
        ("7", [7, 7.0], ["7", 8, None, True]),
        ("1", [1], [True]),
        ("-2.5", [-2.5], [2.5]),
        ("true", [True], [1, "true", False]),
        ("false", [False], [0, None]),
        ("null", [None], [0, "", "null"]),
        ("/^job-[0-9]+$/", ["job-7"], ["job-", 7, None]),
        ("/PAID/i", ["is paid"], ["is due"]),
        ("/a\\/b/", ["a/b"], ["ab"]),
        ("at least 3", [3, 4.5], [2, "3", True, None]),
        ("at most 3", [3, -1], [3.1]),
        ("more than 3", [4], [3]),
        ("less than 3", [2], [3]),
        ("fewer than 3", [2], [3]),
        ("exactly 3", [3], [2, 4]),
        ("between 1 and 2.5", [1, 2.5], [0, 3, "2"]),
        ('one of "a", 2 or true', ["a", 2, True], ["b", 1]),
        ('not "paid"', ["due", None, 3], ["paid"]),
        ("not null", [0, ""], [None]),
        ('containing "ord"', ["an order", ["ord", "x"], {"ord": 1}], ["od", None, 3, ["order"]]),
        ("containing 2", [[1, 2]], [[1, 3], 2]),
        ('without "secret"', ["open", None, []], ["a secret"]),
        ("present", [0, "", False], [None]),
        ("absent", [None], [0]),
        ("empty", ["", [], {}], [None, 0, "x"]),
        ("a number", [1, 2.5], ["1", True, None]),
        ("a text", ["", "x"], [1, None]),
        ("a list", [[], [1]], ["x", {}]),
        ("an object", [{}], [[]]),
        ("a UUID", ["01890a5d-ac96-774b-bcce-b302099a8057"], ["01890a5d", None]),
        ('["a", 2]', [["a", 2]], [["a"], '["a", 2]', None]),
        ('{"a": []}', [{"a": []}], [{"a": [1]}, {}]),
    ],
)
def test_the_words_for_values_accept_what_they_say(
    text: str, good: list[Any], bad: list[Any]
) -> None:
    assert re.fullmatch(VALUE, text)
    expected = value(text)

    assert [found for found in good if not accepts(expected, found)] == []
    assert [found for found in bad if accepts(expected, found)] == []
    # A cell of a table says the same.
    assert repr(cell(text)) == repr(expected)


def test_a_cell_that_is_no_such_word_is_the_text_itself() -> None:
    for text in ("paid", "at least", "7 apples", "", "between a and b", '"half', "{not json"):
        assert cell(text).accepts(text)
        assert not cell(text).accepts(None)
    assert cell("[1, {}]").accepts([1, {}])
    assert cell('{"a": 1}').accepts({"a": 1})


def test_saved_values_are_put_into_json_too() -> None:
    expected = value('{"id": ["${order}", 1]}').filled(lambda text: text.replace("${order}", "o-1"))

    assert expected.accepts({"id": ["o-1", 1]})


@pytest.mark.parametrize(
    ("convert", "text", "message"),
    [
        (regex, "/(/", r"/\(/ is no regular expression"),
        (amount, "between 3 and 1", "the lower bound comes first"),
        (value, '["a",]', r'\["a",\] is no JSON: .* column 6'),
    ],
)
def test_a_value_that_is_written_wrong_is_explained(convert: Any, text: str, message: str) -> None:
    with pytest.raises(StepMistake, match=message):
        convert(text)


@given(st.text().filter(lambda text: "\x00" not in text))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_quoted(text: str) -> None:
    written = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert re.fullmatch(STRING, written, re.DOTALL)
    assert quoted(written) == text
    assert literal(written) == text


def test_saved_values_are_put_into_expectations() -> None:
    expected = value('one of "${a}", 2 or "b"').filled(lambda text: text.replace("${a}", "x"))

    assert expected.accepts("x")
    assert expected.accepts(2)
    assert not expected.accepts("${a}")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", DOCUMENT),
        ("$.a[0].n", 1),
        ("a[0].n", 1),
        ("a[-1].n", 2),
        ("$.a[*].n", [1, 2]),
        ("$.b.*", [None, []]),
        ('$.a[0]["x.y"]', "deep"),
        ("['a'][1]", {"n": 2}),
        ("é", True),
        ("$.a[9].n", None),
        ("$.a.n", None),
        ("$.missing.deeper", None),
        ("$.a[*].missing", []),
        ("b.c", None),
    ],
)
def test_a_path_points_at_values(path: str, found: Any) -> None:
    assert JsonPath(path).value(DOCUMENT) == found


def test_a_path_to_the_elements_of_a_list_at_the_top() -> None:
    assert JsonPath("[1].id").value([{}, {"id": 3}]) == 3


@pytest.mark.parametrize("path", ["$.a[", "$.a[x]", "a..b", "a b", "$.a[1:2]", "$a"])
def test_what_is_no_path_is_explained(path: str) -> None:
    with pytest.raises(StepMistake, match=r"is no JSON path: .* is not understood"):
        JsonPath(path)
