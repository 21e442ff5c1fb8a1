"""Every schema of the package: what it accepts, what it refuses, where, and in which words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration import schema

_DATA = Path(__file__).parents[1] / "data" / "schema" / "contracts"
_ROWS = [
    pytest.param(path.stem, json.loads(line), id=f"{path.stem}: {json.loads(line)['title']}")
    for path in sorted(_DATA.glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
_GOOD = [row for row in _ROWS if "expect" not in row.values[1]]
_BAD = [row for row in _ROWS if "expect" in row.values[1]]


@pytest.mark.parametrize(("name", "row"), _GOOD)
def test_a_good_record_has_no_problem(name: str, row: dict[str, Any]) -> None:
    assert schema.validate(row["value"], name=name) == []
    assert list(schema.contract(name).teller.iter_errors(row["value"])) == []


@pytest.mark.parametrize(("name", "row"), _BAD)
def test_a_bad_record_is_refused_at_the_right_place(name: str, row: dict[str, Any]) -> None:
    problems = schema.validate(row["value"], name=name)
    assert [[p.path, p.rule] for p in problems] == row["expect"]
    assert all(p.message for p in problems)


def test_every_schema_has_good_and_bad_records() -> None:
    good, bad = ({row.values[0] for row in rows} for rows in (_GOOD, _BAD))
    others = set(schema.names()) - {schema.EVENT}  # its records are in files of their own
    assert good == bad == others


@pytest.mark.parametrize("name", schema.names())
def test_a_schema_is_valid_versioned_and_known_by_its_id(name: str) -> None:
    document = schema.load(name)
    jsonschema.Draft202012Validator.check_schema(document)
    jsonschema_rs.meta.validate(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"{schema.URN}{name}"
    assert document["title"] == name
    assert name.rpartition(".v")[2].isdecimal()


@pytest.mark.parametrize("name", schema.names())
def test_every_field_says_what_is_expected(name: str) -> None:
    """A message ends with the field's description, also in parts that are used by reference."""

    def fields(part: Any) -> list[Any]:
        if isinstance(part, list):
            return [found for item in part for found in fields(item)]
        if not isinstance(part, dict):
            return []
        here = [f for f in part.get("properties", {}).values() if f.keys() - {"const"}]
        return here + [found for item in part.values() for found in fields(item)]

    without = [field for field in fields(schema.load(name)) if not field.get("description")]
    assert without == []


def test_a_problem_in_a_referred_part_is_worded_by_its_own_description() -> None:
    (problem,) = schema.validate({"type": "error", "code": "", "message": "m"}, name="sse-frame.v1")
    assert str(problem) == (
        "code is '': expected the machine-readable reason, such as CANCELLED [minLength]"
    )


def test_a_field_that_is_not_allowed_is_named() -> None:
    (problem,) = schema.validate({"user_id": "u"}, name="correlation.v1")
    assert "'user_id' was unexpected" in problem.message


_ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40),
    st.sampled_from(["2025-01-31T09:30:00", "0" * 32, "a" * 32, " ", "٣", [], {}, ["a"], {"a": 1}]),
)  # fmt: skip


@pytest.mark.parametrize("name", sorted({row.values[0] for row in _GOOD}))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_judge_teller_and_words_agree_on_records_with_odd_fields(
    name: str, data: st.DataObject
) -> None:
    """What the judge accepts the teller does too; what it refuses is worded."""
    rows = [row.values[1]["value"] for row in _GOOD if row.values[0] == name]
    record = place = copy.deepcopy(data.draw(st.sampled_from(rows)))
    while True:
        field = data.draw(st.sampled_from([*place, "new", "job_id"]))
        if not (place.get(field) and isinstance(place[field], dict) and data.draw(st.booleans())):
            break
        place = place[field]
    given_text = place.get(field)
    if isinstance(given_text, str) and data.draw(st.booleans()):
        place[field] = given_text + data.draw(st.sampled_from(["\n", " ", "x", "Z"]))
    else:
        place[field] = data.draw(_ODD)
    contract = schema.contract(name)
    is_valid = contract.is_valid(record)
    assert is_valid == (contract.problems(record) == [])
    assert not is_valid or contract.teller.is_valid(record)


def test_the_text_of_a_search_is_not_told_in_the_message_either() -> None:
    (problem,) = schema.validate(
        {"mode": "keyword", "results_count": 1, "latency_ms": 1, "query": "my illness"},
        name="search_executed.v1",
    )
    assert problem.message == (
        "must not be there: expected no field of this name: "
        "the text that a user searched for is never narrated"
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_say_is_refused_and_shown(number: float) -> None:
    (problem,) = schema.validate({"attempt": 1, "queued_ms": number}, name="job_run_started.v1")
    assert problem.path == "queued_ms"
    assert problem.message.startswith(f"is {number}: expected how long it waited")
