"""W3C Trace Context level 2: the grammar, and the public validation suite's requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.emit import narrate
from pytest_narration.emit.tracecontext import (
    MAX_STATE_CHARS,
    TraceParent,
    fit_members,
    format_traceparent,
    format_tracestate,
    is_span_id,
    is_trace_id,
    new_span_id,
    new_trace_id,
    parse_traceparent,
    parse_tracestate,
)
from tests.unit.trace_context_suite import SUITE, Case, Harness, bars, judge, suite_ids, with_state

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
VALID = f"00-{TRACE}-{SPAN}-01"
FUTURE = "-what-the-future-will-be-like"


def test_the_suite_is_here_as_a_whole() -> None:
    """All 41 tests of the validation suite have their requests in the table."""
    assert len({case.test for case in SUITE}) == 41


@pytest.mark.asyncio
@pytest.mark.parametrize("case", SUITE, ids=suite_ids())
async def test_a_service_behaves_as_the_validation_suite_demands(case: Case) -> None:
    """A real ASGI service with our middleware, and our client for its calls."""
    judge(case, await Harness().run(case))


@pytest.mark.asyncio
async def test_with_32_members_the_last_makes_room_for_ours() -> None:
    """33 members would make the next service drop them all."""

    class Narrating(Harness):
        async def work(self, calls: list[dict[str, Any]]) -> None:
            narrate("count", "Counted", actor="suite")
            await super().work(calls)

    case = with_state("tracestate_member_count_limit", bars(1, 32))
    ((_, members),) = await Narrating().run(case)
    assert [key for key, _ in members] == ["narration", *(f"bar{n:02}" for n in range(1, 32))]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        VALID.upper().replace("-01", "-0A"),
        f"CC-{TRACE}-{SPAN}-01",
        f"00-{'AB' * 16}-{SPAN}-01",
        f"{VALID}-",
        f"{VALID}\r\n",
        f"{VALID}\n",
        f"{VALID}\x00",
        f"\u2003{VALID}",
        f"00_{TRACE}-{SPAN}-01",
        f"cc-{'0' * 32}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01\n-x",
        f"{VALID},{VALID}",
        f"٠٠-{TRACE}-{SPAN}-01",
        "cc-" + "-" * 100_000,
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 100_000,
    ],
)
def test_a_traceparent_outside_the_grammar_is_refused(value: str) -> None:
    assert parse_traceparent(value) is None


def test_flags_that_level_2_does_not_define_are_not_read() -> None:
    parsed = parse_traceparent(f"00-{TRACE}-{SPAN}-ff")
    assert parsed == TraceParent(TRACE, SPAN, 0x03)
    assert format_traceparent(TRACE, SPAN, 0xFF) == f"00-{TRACE}-{SPAN}-03"


def test_a_newer_version_is_answered_with_version_00() -> None:
    parsed = parse_traceparent(f"cc-{TRACE}-{SPAN}-01{FUTURE}")
    assert parsed is not None
    assert format_traceparent(parsed.trace_id, parsed.parent_id, parsed.flags) == VALID


hexes = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda text: int(text, 16))
spans = st.text("0123456789abcdef", min_size=16, max_size=16).filter(lambda text: int(text, 16))


@settings(max_examples=60, deadline=None)
@given(hexes, spans, st.integers(0, 3))
def test_a_traceparent_comes_back_as_it_was_sent(trace_id: str, span_id: str, flags: int) -> None:
    assert parse_traceparent(format_traceparent(trace_id, span_id, flags)) == TraceParent(
        trace_id, span_id, flags
    )


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=70))
def test_any_text_is_either_refused_or_a_sendable_parent(text: str) -> None:
    parsed = parse_traceparent(text)
    if parsed is not None:
        assert is_trace_id(parsed.trace_id)
        assert is_span_id(parsed.parent_id)


keys = st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,20}", fullmatch=True)
values = st.from_regex(
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,20}[\x21-\x2b\x2d-\x3c\x3e-\x7e]", fullmatch=True
)
member_lists = st.lists(st.tuples(keys, values), max_size=32, unique_by=lambda member: member[0])


@settings(max_examples=60, deadline=None)
@given(member_lists, st.integers(0, 32))
def test_a_tracestate_comes_back_however_it_is_split_over_headers(
    members: list[tuple[str, str]], cut: int
) -> None:
    fields = [format_tracestate(members[:cut]), format_tracestate(members[cut:])]
    assert parse_tracestate(fields) == tuple(members)


@pytest.mark.parametrize(
    "value",
    [
        "foo",
        "=1",
        "_foo=1",
        "fOo=1",
        "foo=a\tb",
        "foo=a\x7fb",
        "foo=a\x1fb",
        "foo=a\r\nX-Evil: 1",
        "foo=é",
        "foo=" + "x" * 257,
        "foo\n=1",
        "foo=1\n",
    ],
)
def test_one_member_outside_the_grammar_drops_the_whole_state(value: str) -> None:
    assert parse_tracestate(["good=1", value]) is None


def test_empty_members_do_not_count() -> None:
    assert parse_tracestate(["a=1,, ,\t,", bars(1, 31), ""]) is not None


def test_a_leading_space_belongs_to_the_value_and_a_trailing_one_does_not() -> None:
    assert parse_tracestate(["foo= 1 ,bar=2"]) == (("foo", " 1"), ("bar", "2"))


def test_of_a_key_that_occurs_twice_the_newer_is_kept() -> None:
    """Every system writes to the front, so the first is the newer."""
    assert parse_tracestate(["foo=new,bar=2", "foo=old"]) == (("foo", "new"), ("bar", "2"))


def test_a_megabyte_of_commas_is_not_read() -> None:
    assert parse_tracestate(["a=1" + "," * 1_000_000]) is None


def test_long_members_are_dropped_before_old_ones() -> None:
    """The order of "tracestate Limits": over 128 characters first, then from the end."""
    long = ("long", "x" * 200)
    members = (("a", "x" * 120), long, ("b", "x" * 120), ("c", "x" * 120), ("d", "x" * 120))
    assert fit_members(members) == (members[0], *members[2:])
    assert fit_members((*members, ("e", "x" * 120))) == (members[0], *members[2:])


@settings(max_examples=100, deadline=None)
@given(member_lists, st.integers(1, 32), st.integers(1, MAX_STATE_CHARS))
def test_what_fits_stays_in_order_and_within_its_limits(
    members: list[tuple[str, str]], count: int, chars: int
) -> None:
    kept = fit_members(tuple(members), count=count, chars=chars)
    assert len(kept) <= count
    assert len(format_tracestate(kept)) <= chars
    assert list(kept) == [member for member in members if member in kept]


def test_made_ids_may_be_sent_and_differ() -> None:
    traces, made = {new_trace_id() for _ in range(100)}, {new_span_id() for _ in range(100)}
    assert len(traces) == len(made) == 100
    assert all(map(is_trace_id, traces))
    assert all(map(is_span_id, made))
