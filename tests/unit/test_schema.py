"""The event's contract: what it accepts, what it refuses, and the words for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration import schema
from pytest_narration.event import COLUMNS, LEVELS, SCHEMA_VERSION, Event

_DATA = Path(__file__).parents[1] / "data" / "schema"


def _cases(name: str) -> list[Any]:
    rows = [json.loads(line) for line in (_DATA / name).read_text("utf-8").splitlines()]
    return [pytest.param(row, id=row["title"]) for row in rows]


_LEAST = next(iter(_cases("good.jsonl"))).values[0]["event"]


@pytest.mark.parametrize("case", _cases("good.jsonl"))
def test_a_good_event_has_no_problem(case: dict[str, Any]) -> None:
    """Judge and teller agree on every good fixture."""
    assert schema.validate(case["event"]) == []
    teller = jsonschema.Draft202012Validator(schema.load())
    assert list(teller.iter_errors(case["event"])) == []


@pytest.mark.parametrize("case", _cases("bad.jsonl"))
def test_a_bad_event_is_refused_at_the_right_place(case: dict[str, Any]) -> None:
    """Both halves refuse it, and each expected place and keyword is named once."""
    problems = schema.validate(case["event"])
    assert [[p.path, p.rule] for p in problems] == case["expect"]
    assert not schema.is_valid(case["event"])
    assert all("expected " in p.message for p in problems)


def test_a_problem_says_what_was_found_and_what_is_expected() -> None:
    (problem,) = schema.validate(_LEAST | {"trace_id": "0" * 32})
    assert problem == schema.Problem(
        "trace_id",
        "not",
        f"is '{'0' * 32}': expected 32 lower-case hex digits, not all zero (W3C Trace Context)",
    )


def test_a_missing_field_says_what_it_should_hold() -> None:
    without = {name: value for name, value in _LEAST.items() if name != "emitted_by"}
    (problem,) = schema.validate(without)
    assert problem.message.startswith("is missing: expected name@version of the code")


def test_a_long_value_is_quoted_in_part() -> None:
    (problem,) = schema.validate(_LEAST | {"correlation_id": "x" * 5_000})
    assert len(problem.message) < 250
    assert "(5002 characters)" in problem.message


@pytest.mark.parametrize("not_an_object", [[], "text", None, 7])
def test_what_is_no_object_is_refused(not_an_object: Any) -> None:
    (problem,) = schema.validate(not_an_object)
    assert (problem.path, problem.rule) == ("", "type")


def test_an_impossible_date_is_refused_by_both_libraries() -> None:
    """The date-time check must not depend on jsonschema's optional `format` extra."""
    bad = _LEAST | {"timestamp": "2025-02-30T09:30:00.125Z"}
    judge = jsonschema_rs.validator_for(schema.load(), validate_formats=True)
    assert not judge.is_valid(bad)
    (problem,) = schema.validate(bad)
    assert problem.rule == "format"
    assert "RFC 3339" in problem.message


@given(
    name=st.sampled_from(sorted(COLUMNS)),
    value=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=140),
        st.text("0123456789abcdef", min_size=16, max_size=32),
        st.lists(st.text(max_size=5), max_size=2), st.binary(max_size=3),
    ),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_verdict_and_the_words_always_agree(name: str, value: Any) -> None:
    """Whatever a field holds: refused means worded, accepted means no words; nothing raises."""
    event = _LEAST | {name: value}
    problems = schema.validate(event)
    assert schema.is_valid(event) == (problems == [])
    teller = jsonschema.Draft202012Validator(schema.load())
    if schema.is_valid(event):
        assert list(teller.iter_errors(event)) == []


def test_a_tuple_is_an_array() -> None:
    """`Event.cause` is one: what else is wrong must not be blamed on it."""
    event = _LEAST | {"cause": ("01890a5d-ac96-774b-bcce-b302099a8058",)}
    assert schema.validate(event) == []
    (problem,) = schema.validate(event | {"seq": 0})
    assert problem.path == "seq"


def test_the_contract_names_exactly_the_columns_of_the_event() -> None:
    contract = schema.load()
    assert set(contract["properties"]) == COLUMNS
    assert tuple(contract["properties"]["level"]["enum"]) == LEVELS
    assert contract["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert set(contract["required"]) <= set(Event.__struct_fields__)


def test_every_field_has_a_description() -> None:
    assert all(p["description"] for p in schema.load()["properties"].values())


def test_the_contract_is_itself_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.load())
    jsonschema_rs.meta.validate(schema.load())


def test_load_returns_a_dict_that_the_caller_may_change() -> None:
    schema.load()["properties"].clear()
    assert schema.load()["properties"]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"named .event.; there are: .*narration-event"):
        schema.load("event")


def test_importing_the_module_loads_no_validator() -> None:
    """A project that does not check envelopes does not pay for two schema libraries."""
    code = (
        "import sys, pytest_narration.schema as s; s.load();"
        "print([m for m in sys.modules if m.startswith('jsonschema')])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert out.stdout.strip() == "[]"
