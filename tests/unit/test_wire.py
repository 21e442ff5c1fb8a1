"""What is encoded decodes to the same; what is no event is rejected with a reason, never raised."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration import wire
from pytest_narration.event import COLUMNS, Event
from pytest_narration.wire import Rejected, decode, encode, from_fields

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
scalars = (
    st.none() | st.booleans() | texts | st.integers() | st.floats(allow_nan=False, width=64)
).filter(lambda value: value not in (float("inf"), float("-inf")))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def column_values(kind: Any) -> st.SearchStrategy[Any]:
    text = str(kind)
    if "tuple" in text:
        return st.lists(texts, max_size=3).map(tuple)
    if "int" not in text:
        return texts
    whole = st.integers(-(2**63), 2**63)
    return whole | st.floats(allow_nan=False, allow_infinity=False) if "float" in text else whole


columns = st.fixed_dictionaries(
    {"action": texts.filter(bool)},
    optional={
        name: column_values(kind)
        for name, kind in Event.__annotations__.items()
        if name in COLUMNS - {"action"}
    },
)
extras = st.dictionaries(texts.filter(lambda name: name not in COLUMNS), values, max_size=4)
events = st.builds(lambda c, e: Event(**c, extra=e), columns, extras)


@settings(max_examples=300, deadline=None)
@given(event=events)
def test_an_event_survives_the_wire(event: Event) -> None:
    line = encode(event)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert decode(line) == event
    assert decode(line[:-1]) == event


@settings(max_examples=50, deadline=None)
@given(several=st.lists(events, max_size=6))
def test_a_line_is_read_alike_whatever_was_read_before(several: list[Event]) -> None:
    """With extras and without, in any order: none is lost, none is left over."""
    for event in several:
        assert decode(encode(event)) == event
    for _ in range(6):
        assert decode(b'{"action":"a","port":1}') == Event(action="a", extra={"port": 1})
    assert decode(b'{"action":"a"}') == Event(action="a")
    for value in ({}, {"port": 1}):
        given = json.dumps({"action": "a", "$extra": value}).encode()
        assert decode(given) == Event(action="a", extra={"$extra": value})


@settings(max_examples=200, deadline=None)
@given(event=events)
def test_other_json_writers_and_readers_agree(event: Event) -> None:
    """The line is plain JSON: Python's own module reads it, and what it writes is read."""
    fields = json.loads(encode(event))
    assert decode(json.dumps(fields).encode()) == event
    assert from_fields(fields) == event


@settings(max_examples=500, deadline=None)
@given(line=st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_an_event_or_a_reason(line: bytes) -> None:
    decoded = decode(line, source="s", offset=3)
    if isinstance(decoded, Rejected):
        assert (decoded.line, decoded.source, decoded.offset) == (line.rstrip(b"\r\n"), "s", 3)
        assert decoded.why
    else:
        assert decoded.action


@settings(max_examples=200, deadline=None)
@given(event=events, cut=st.integers(1, 200))
def test_a_line_cut_anywhere_is_rejected(event: Event, cut: int) -> None:
    line = encode(event)[:-1]
    assert isinstance(decode(line[: max(0, len(line) - cut)]), Rejected)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "empty line"),
        (b"   \n", "empty line"),
        (b"hello", "not JSON: JSON is malformed"),
        (b'{"action":"a"', "not JSON: Input data was truncated"),
        (b'{"action":"a"} x', "not JSON"),
        (b'{"action":"a","x":NaN}', "not JSON"),
        (b'{"action":"a","x":Infinity}', "not JSON"),
        (b'{"action":"a","human":"\xff"}', "not JSON"),
        (b'{"action":"a","human":"\\ud800"}', "not JSON"),
        (b'{"action":"a","x":1e999}', "not JSON: Number out of range"),
        (b"[" * 100_000, "JSON nested too deeply"),
        (b'{"action":"a","x":' + b"[" * 5000 + b"]" * 5000 + b"}", "JSON nested too deeply"),
        (b"[1]", "JSON array, not an object"),
        (b'"x"', "JSON string, not an object"),
        (b"1.5", "JSON number, not an object"),
        (b"true", "JSON boolean, not an object"),
        (b"null", "JSON null, not an object"),
        (b"{}", "without an `action`"),
        (b'{"action":""}', "without an `action`"),
        (b'{"action":7}', "without an `action`"),
        (b'{"action":"a","seq":"7"}', "field of the wrong type: Expected `int"),
        (b'{"action":"a","seq":1.5}', "field of the wrong type"),
        (b'{"action":"a","cause":"x"}', "field of the wrong type: Expected `array`"),
        (b'{"action":"a","job_id":5,"level":null}', "`str | null`, got `int` - at `$.job_id`"),
    ],
)
def test_a_line_that_is_no_event_says_why(line: bytes, why: str) -> None:
    decoded = decode(line)
    assert isinstance(decoded, Rejected)
    assert why in decoded.why


def test_null_says_the_same_as_nothing() -> None:
    nulls = dict.fromkeys(COLUMNS - {"action"})
    assert decode(json.dumps({"action": "a", "x": None} | nulls).encode()) == Event(
        action="a", extra={"x": None}
    )


def test_of_a_doubled_key_the_last_one_counts() -> None:
    event = decode(b'{"action":"a","action":"b","x":1,"x":2}')
    assert isinstance(event, Event)
    assert (event.action, event.extra) == ("b", {"x": 2})


def test_a_field_cannot_pose_as_the_extras() -> None:
    """``$extra`` is a name of ours in memory only; on the wire it is a field as any other."""
    for text in ('{"action":"a","$extra":{"x":1}}', '{"action":"a","$extra":7,"seq":null}'):
        event = decode(text.encode())
        assert isinstance(event, Event)
        assert list(event.extra) == ["$extra"]
        assert decode(encode(event)) == event


def test_a_million_characters_are_one_line() -> None:
    event = decode(encode(Event(action="a", human="x" * 1_000_000)))
    assert isinstance(event, Event)
    assert len(event.human) == 1_000_000


def test_wrong_types_are_named_when_fields_are_given() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.tokens_in"):
        from_fields({"action": "a", "tokens_in": "7"})


def test_the_givers_mapping_is_left_as_it_was() -> None:
    fields = {"action": "a", "x": 1, "seq": None}
    from_fields(fields)
    assert fields == {"action": "a", "x": 1, "seq": None}


def test_everything_public_is_listed() -> None:
    assert sorted(wire.__all__, key=str.lower) == sorted(
        ["Rejected", "decode", "encode", "from_fields"], key=str.lower
    )
