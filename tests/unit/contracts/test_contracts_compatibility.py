"""Two versions of a schema: what breaks, where, and whether the verdict can be trusted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration import schema
from pytest_narration.contracts import compare
from pytest_narration.errors import ConfigurationError

Change = Callable[[dict[str, Any]], Any]


def _compared(name: str, change: Change) -> tuple[list[str], list[str], list[str]]:
    old = schema.load(name)
    new = copy.deepcopy(old)
    change(new)
    found = compare(old, new, old_others=schema.registry(), new_others=schema.registry())
    breaks, loosened, notes = (
        [str(change) for change in changes]
        for changes in (found.breaks, found.loosened, found.notes)
    )
    assert found.is_backward_compatible == (breaks == [])
    assert found.is_forward_compatible == (loosened == [])
    return breaks, loosened, notes


@pytest.mark.parametrize("name", schema.names())
def test_a_schema_is_compatible_with_itself_whatever_its_words_are(name: str) -> None:
    def reword(document: dict[str, Any]) -> None:
        document |= {"title": "x", "description": "y", "$comment": "z", "$id": "urn:other"}

    assert _compared(name, reword) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        (
            "narration-event.v1",
            lambda d: d["required"].append("job_id"),
            "job_id: is required, and was not [required]",
        ),
        (
            "narration-event.v1",
            lambda d: d["properties"]["seq"].update(minimum=2),
            "seq: was 1, is 2 [minimum]",
        ),
        (
            "narration-event.v1",
            lambda d: d.update(additionalProperties=False),
            "the event: was open, is not allowed [additionalProperties]",
        ),
        (
            "job_run_failed.v1",
            lambda d: d["properties"]["will_retry"].update(type="string"),
            'will_retry: was "boolean", is "string" [type]',
        ),
        (
            "correlation.v1",
            lambda d: d.update(dependentRequired={"span_id": ["trace_id", "job_id"]}),
            'the event: was {"job_run_id": ["job_id"], "span_id": ["trace_id"]}, is '
            '{"span_id": ["trace_id", "job_id"]} [dependentRequired]',
        ),
        (
            "event_envelope.v1",
            lambda d: d["properties"]["actor"]["properties"].pop("component"),
            'actor.component: was {"maxLength": 128, "minLength": 1, "type": "string"}, is not '
            "allowed [schema]",
        ),
        (
            "event_envelope.v1",
            lambda d: d["properties"]["severity"]["enum"].remove("trace"),
            'severity: was ["trace", "debug", "info", "warn", "error", "fatal"], is '
            '["debug", "info", "warn", "error", "fatal"] [enum]',
        ),
        (
            "narration-event.v1",
            lambda d: d["properties"]["cause"].update(maxItems=3),
            "cause: was not said, is 3 [maxItems]",
        ),
        (
            "sse-frame.v1",
            lambda d: d["$defs"]["error"]["required"].append("retryable"),
            "retryable: is required, and was not [required]",
        ),
    ],
)
def test_a_break_is_told_by_its_place(name: str, change: Change, told: str) -> None:
    breaks, _, notes = _compared(name, change)
    assert (breaks, notes) == ([told], [])


def test_what_is_used_in_several_places_breaks_in_each() -> None:
    breaks, *_ = _compared(
        "narration-event.v1", lambda d: d["$defs"]["span_id"].update(pattern="^[0-9a-f]{17}$")
    )
    assert [line.partition(":")[0] for line in breaks] == ["parent_span_id", "span_id"]


def test_what_is_refused_less_concerns_readers_of_the_old_schema_only() -> None:
    assert _compared("narration-event.v1", lambda d: d["required"].remove("human")) == (
        [],
        ["human: is required no more [required]"],
        [],
    )
    assert _compared("narration-event.v1", lambda d: d["properties"]["level"].pop("enum")) == (
        [],
        ['level: was ["trace", "debug", "info", "warn", "error", "fatal"], is not said [enum]'],
        [],
    )


def test_a_further_optional_field_is_no_break_and_a_note_says_what_that_rests_on() -> None:
    note = "colour: is described, and was not; events that carried it have to fit [properties]"
    assert _compared(
        "narration-event.v1", lambda d: d["properties"].update(colour={"type": "string"})
    ) == ([], [], [note])


def test_a_further_optional_field_of_one_kind_of_frame_is_no_break() -> None:
    breaks, loosened, notes = _compared(
        "sse-frame.v1",
        lambda d: d["$defs"]["token"]["properties"].update(logprob={"type": "number"}),
    )
    assert (breaks, loosened) == ([], [])
    assert [note.partition(":")[0] for note in notes] == ["logprob"]


def test_a_field_that_was_forbidden_and_is_not_concerns_readers_only() -> None:
    breaks, loosened, _ = _compared(
        "event_envelope.v1",
        lambda d: d["properties"]["actor"]["properties"].update(zone={"type": "string"}),
    )
    assert breaks == []
    assert loosened == ['actor.zone: was not allowed, is {"type": "string"} [schema]']


def test_a_change_behind_a_reference_to_another_document_is_found() -> None:
    document = {"$id": "urn:a", "properties": {"ids": {"$ref": "urn:b#/$defs/ids"}}}
    before = {"urn:b": {"$defs": {"ids": {"required": ["job_id"]}}}}
    after = {"urn:b": {"$defs": {"ids": {"required": ["job_id", "run_id"]}}}}
    found = compare(document, document, old_others=before, new_others=after)
    assert [str(c) for c in found.breaks] == ["ids.run_id: is required, and was not [required]"]


def test_a_change_behind_an_anchor_is_found() -> None:
    def money(kind: str) -> dict[str, Any]:
        price = {"$anchor": "price", "type": kind}
        return {
            "$id": "urn:order",
            "$defs": {"price": price},
            "properties": {"total": {"$ref": "#price"}},
        }

    assert compare(money("number"), money("number")).is_backward_compatible
    found = compare(money("number"), money("integer"))
    assert [str(c) for c in found.breaks] == ['total: was "number", is "integer" [type]']


@pytest.mark.parametrize("reference", ["#/$defs/absent", "#absent", "urn:absent"])
def test_a_reference_that_leads_nowhere_is_no_ground_for_a_verdict(reference: str) -> None:
    document = {"$id": "urn:a", "properties": {"total": {"$ref": reference}}}
    with pytest.raises(ConfigurationError, match=r"absent.* leads nowhere"):
        compare(document, document)


def test_a_field_that_is_described_no_more_is_noted() -> None:
    note = (
        "human: is described no more; readers of the old one may meet anything in it [properties]"
    )
    old = {"properties": {"human": {"type": "string"}, "seq": {}}}
    found = compare(old, {"properties": {"seq": {}}})
    assert (found.breaks, found.loosened) == ((), ())
    assert [str(c) for c in found.notes] == [note]


def test_schemas_that_contain_themselves_are_compared() -> None:
    def tree(smallest: int) -> dict[str, Any]:
        node = {
            "properties": {"value": {"minimum": smallest}, "next": {"$ref": "#/$defs/node"}},
        }
        return {"$id": "urn:tree", "$defs": {"node": node}, "$ref": "#/$defs/node"}

    assert compare(tree(1), tree(1)).is_backward_compatible
    assert not compare(tree(0), tree(1)).is_backward_compatible
    assert compare(tree(1), tree(0)).is_backward_compatible


_VALUES = [None, True, 0, 1, 1.5, 2, 7, "", "a", "ab", "b", [], [1], ["a", "a"], {}, {"a": 1}]
_NAMES = st.sampled_from(["a", "b", "c"])
_LEAVES = st.one_of(
    st.booleans(),
    st.builds(lambda t: {"type": t}, st.sampled_from(["integer", "number", "string", "object"])),
    st.builds(lambda v: {"enum": v}, st.lists(st.sampled_from(_VALUES), min_size=1, max_size=3)),
    st.builds(lambda n: {"minimum": n}, st.integers(0, 3)),
    st.builds(lambda n: {"maxLength": n}, st.integers(0, 2)),
    st.builds(lambda p: {"pattern": p}, st.sampled_from(["^a", "b$", "^a*$"])),
)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=2)
    return st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["object", ["object", "array"]]),
                "properties": st.dictionaries(_NAMES, inner, max_size=2),
                "patternProperties": st.dictionaries(st.sampled_from(["^a", "."]), inner),
                "additionalProperties": inner,
                "unevaluatedProperties": st.just(False),
                "required": st.lists(_NAMES, unique=True, max_size=2),
                "dependentRequired": st.just({"a": ["b"]}),
                "maxProperties": st.integers(0, 2),
            },
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "prefixItems": lists,
                "items": inner,
                "contains": inner,
                "minContains": st.integers(0, 2),
                "maxContains": st.integers(0, 2),
                "uniqueItems": st.booleans(),
            },
        ),
        st.fixed_dictionaries({}, optional={"if": inner, "then": inner, "else": inner}),
        st.dictionaries(st.sampled_from(["allOf", "anyOf", "oneOf"]), lists, max_size=1),
        st.builds(lambda value: {"not": value}, inner),
    )  # fmt: skip


_SCHEMAS = st.recursive(_LEAVES, _grown, max_leaves=6)


@st.composite
def _two_versions(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw a schema, and it with one part drawn anew: versions that have something in common."""
    old = draw(_SCHEMAS)
    new = copy.deepcopy(old)
    place = new
    while isinstance(place, dict) and place:
        key = draw(st.sampled_from(sorted(place)))
        inner = place[key]
        is_schema = isinstance(inner, dict) or key in ("additionalProperties", "items", "not")
        if isinstance(inner, dict) and draw(st.booleans()):
            place = inner
            continue
        if key in ("properties", "patternProperties", "dependentRequired"):
            place[key] = {}
        elif is_schema:
            place[key] = draw(_SCHEMAS)
        else:
            del place[key]
        return old, new
    return old, draw(_SCHEMAS)


_INSTANCES = st.recursive(
    st.sampled_from(_VALUES[:11]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(versions=_two_versions(), instances=st.lists(_INSTANCES, min_size=10, max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_compatible_change_never_refuses_what_was_accepted(
    versions: tuple[Any, Any], instances: list[Any]
) -> None:
    """The promise, on schemas of any shape: without breaks and notes nothing is refused."""
    old, new = versions
    found = compare(old, new)
    before, after = (jsonschema_rs.validator_for(one) for one in versions)
    for value in (*_VALUES, *instances):
        was, is_ = before.is_valid(value), after.is_valid(value)
        if was and not is_:
            assert found.breaks or found.notes, value
        if is_ and not was:
            assert found.loosened or compare(new, old).notes, value
