"""W3C Trace Context level 2: the grammar, and the public validation suite's requests."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.emit.asgi import NarrationMiddleware
from pytest_narration.emit.clients_httpx import AsyncNarrationTransport
from pytest_narration.emit.tracecontext import (
    MAX_MEMBERS,
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

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
VALID = f"00-{TRACE}-{SPAN}-01"
FUTURE = "-what-the-future-will-be-like"


@dataclass(frozen=True)
class Case:
    """One request of the suite: what is sent, and what the service's own call has to carry."""

    test: str
    """The name of the suite's test."""
    sent: list[tuple[str, str]]
    continues: bool | None = None
    """The trace goes on (True), starts anew (False), or the suite does not say (None)."""
    state: list[tuple[str, str]] = field(default_factory=list)
    """Members that are passed on, in this order."""
    lost: list[str] = field(default_factory=list)
    """Keys that are not passed on."""
    calls: int = 1
    flags: int | None = None
    """Flags that are set on the way out."""
    at_most: int = MAX_MEMBERS
    """Members on the way out, our own included."""


def parent(value: str, name: str = "traceparent") -> tuple[str, str]:
    return (name, value)


def with_state(test: str, *states: str, name: str = "tracestate", **expected: Any) -> Case:
    sent = [("traceparent", f"00-{TRACE}-{SPAN}-00"), *((name, state) for state in states)]
    return Case(test, sent, continues=True, **expected)


def bars(first: int, last: int) -> str:
    return ",".join(f"bar{n:02}={n:02}" for n in range(first, last + 1))


KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
VALUE = "".join(map(chr, [*range(0x20, 0x2C), *range(0x2D, 0x3D), *range(0x3E, 0x7F)]))
FOO = [("foo", "1")]

# What https://github.com/w3c/trace-context (test/test.py, at acab820) sends at STRICT_LEVEL 2 and
# SPEC_LEVEL 2, and what it demands: all 41 tests, each of their requests.
SUITE = [
    Case("both_traceparent_and_tracestate_missing", []),
    Case("traceparent_included_tracestate_missing", [parent(VALID)], True),
    Case("traceparent_duplicated", [parent(f"00-{TRACE[:-1]}1-{SPAN}-01"), parent(VALID)], False),
    *[
        Case("traceparent_header_name", [parent(VALID, name)], False)
        for name in ("trace-parent", "trace.parent")
    ],
    *[
        Case("traceparent_header_name_valid_casing", [parent(VALID, name)], True)
        for name in ("TraceParent", "TrAcEpArEnT", "TRACEPARENT")
    ],
    *[Case("traceparent_version_0x00", [parent(VALID + rest)], False) for rest in (".", FUTURE)],
    Case("traceparent_version_0xcc", [parent(f"cc-{TRACE}-{SPAN}-01")], True),
    Case("traceparent_version_0xcc", [parent(f"cc-{TRACE}-{SPAN}-01{FUTURE}")], True),
    Case("traceparent_version_0xcc", [parent(f"cc-{TRACE}-{SPAN}-01.{FUTURE[1:]}")], False),
    Case("traceparent_version_0xff", [parent(f"ff-{TRACE}-{SPAN}-01")], False),
    *[
        Case(f"traceparent_{test}", [parent(value)], False)
        for test, value in [
            ("version_illegal_characters", f".0-{TRACE}-{SPAN}-01"),
            ("version_illegal_characters", f"0.-{TRACE}-{SPAN}-01"),
            ("version_too_long", f"000-{TRACE}-{SPAN}-01"),
            ("version_too_long", f"0000-{TRACE}-{SPAN}-01"),
            ("version_too_short", f"0-{TRACE}-{SPAN}-01"),
            ("trace_id_all_zero", f"00-{'0' * 32}-{SPAN}-01"),
            ("trace_id_illegal_characters", f"00-.{TRACE[1:]}-{SPAN}-01"),
            ("trace_id_illegal_characters", f"00-{TRACE[:-1]}.-{SPAN}-01"),
            ("trace_id_too_long", f"00-{TRACE}3-{SPAN}-01"),
            ("trace_id_too_short", f"00-{TRACE[:-1]}-{SPAN}-01"),
            ("parent_id_all_zero", f"00-{TRACE}-{'0' * 16}-01"),
            ("parent_id_illegal_characters", f"00-{TRACE}-.{SPAN[1:]}-01"),
            ("parent_id_illegal_characters", f"00-{TRACE}-{SPAN[:-1]}.-01"),
            ("parent_id_too_long", f"00-{TRACE}-{SPAN}7-01"),
            ("parent_id_too_short", f"00-{TRACE}-{SPAN[:-1]}-01"),
            ("trace_flags_illegal_characters", f"00-{TRACE}-{SPAN}-.0"),
            ("trace_flags_illegal_characters", f"00-{TRACE}-{SPAN}-0."),
            ("trace_flags_too_long", f"00-{TRACE}-{SPAN}-001"),
            ("trace_flags_too_short", f"00-{TRACE}-{SPAN}-1"),
        ]
    ],
    *[
        Case("traceparent_ows_handling", [parent(value)], True)
        for value in (f" {VALID}", f"\t{VALID}", f"{VALID} ", f"{VALID}\t", f"\t {VALID} \t")
    ],
    *[
        Case("tracestate_included_traceparent_missing", [("tracestate", text)], None, lost=["foo"])
        for text in ("foo=1", "foo=1,bar=2")
    ],
    with_state(
        "tracestate_included_traceparent_included", "foo=1,bar=2", state=[*FOO, ("bar", "2")]
    ),
    *[
        with_state("tracestate_header_name", "foo=1", name=name, lost=["foo"])
        for name in ("trace-state", "trace.state")
    ],
    *[
        with_state("tracestate_header_name_valid_casing", "foo=1", name=name, state=FOO)
        for name in ("TraceState", "TrAcEsTaTe", "TRACESTATE")
    ],
    with_state("tracestate_empty_header", ""),
    with_state("tracestate_empty_header", "foo=1", "", state=FOO),
    with_state("tracestate_empty_header", "", "foo=1", state=FOO),
    with_state(
        "tracestate_multiple_headers_different_keys",
        *("foo=1,bar=2", "rojo=1,congo=2", "baz=3"),
        state=[*FOO, ("bar", "2"), ("rojo", "1"), ("congo", "2"), ("baz", "3")],
    ),
    *[
        with_state("tracestate_duplicated_keys", *states, state=FOO)
        for states in (["foo=1,foo=1"], ["foo=1,foo=2"], ["foo=1", "foo=1"], ["foo=1", "foo=2"])
    ],
    with_state("tracestate_all_allowed_characters", f"{KEY}={VALUE}", state=[(KEY, VALUE)]),
    with_state(
        "tracestate_all_allowed_characters",
        f"{KEY}@a-z0-9_-*/={VALUE}",
        state=[(f"{KEY}@a-z0-9_-*/", VALUE)],
    ),
    *[
        with_state("tracestate_ows_handling", text, state=[*FOO, ("bar", "2"), ("baz", "3")])
        for text in ("foo=1 \t , \t bar=2, \t baz=3", "foo=1\t \t,\t \tbar=2,\t \tbaz=3")
    ],
    *[
        with_state("tracestate_ows_handling", text, state=FOO)
        for text in (" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t")
    ],
    *[
        with_state("tracestate_key_illegal_characters", f"{key}=1", lost=[key])
        for key in ("foo ", "FOO", "foo.bar")
    ],
    *[
        with_state(
            "tracestate_key_illegal_vendor_format",
            f"{key}=1,bar=2",
            state=[(key, "1"), ("bar", "2")],
        )
        for key in ("foo@", "foo@@bar", "foo@bar@baz")
    ],
    with_state("tracestate_key_illegal_vendor_format", "@foo=1,bar=2", lost=["@foo", "bar"]),
    with_state(
        "tracestate_member_count_limit",
        *(bars(1, 10), bars(11, 20), bars(21, 30), bars(31, 32)),
        state=[("bar01", "01")],
        at_most=32,
    ),
    with_state(
        "tracestate_member_count_limit",
        *(bars(1, 10), bars(11, 20), bars(21, 30), bars(31, 33)),
        lost=["bar01"],
    ),
    *[
        with_state("tracestate_key_length_limit", "foo=1", f"{key}=1", state=[*FOO, (key, "1")])
        for key in ("z" * 256, "t" * 241 + "@" + "v" * 14, "t" * 242 + "@v", "t@" + "v" * 15)
    ],
    with_state("tracestate_key_length_limit", "foo=1", "z" * 257 + "=1", lost=["foo"]),
    with_state("tracestate_value_illegal_characters", "foo=bar=baz", lost=["foo"]),
    with_state("tracestate_value_illegal_characters", "foo=,bar=3", lost=["foo", "bar"]),
    Case("multiple_requests_with_valid_traceparent", [parent(VALID)], True, calls=3),
    Case("multiple_requests_without_traceparent", [], calls=3),
    Case(
        "multiple_requests_with_illegal_traceparent",
        [parent(f"00-{'0' * 32}-{SPAN}-01")],
        False,
        calls=3,
    ),
    Case("propagates_random_flag", [parent(f"00-{TRACE}-{SPAN}-02")], True, flags=0x02),
]


class Harness:
    """The suite's service, which calls what it is told to, and the suite's end of those calls."""

    def __init__(self, middleware: Any = NarrationMiddleware, **options: Any) -> None:
        self.received: list[list[tuple[str, str]]] = []
        own = httpx.ASGITransport(app=self.callback)
        self.client = httpx.AsyncClient(transport=AsyncNarrationTransport(own, **options))
        self.service = middleware(self.serve, **options)

    async def callback(self, scope: Any, receive: Any, send: Any) -> None:
        self.received.append([(n.decode(), v.decode("latin-1")) for n, v in scope["headers"]])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"null"})

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        for call in json.loads(body):
            await self.client.post(call["url"], json=call["arguments"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"null"})

    async def run(self, case: Case) -> list[tuple[TraceParent, list[tuple[str, str]]]]:
        """Send the request; return traceparent and tracestate of each call that it led to."""
        todo = [{"url": f"http://harness/callback/{n}", "arguments": []} for n in range(case.calls)]
        transport = httpx.ASGITransport(app=self.service)
        async with httpx.AsyncClient(transport=transport) as client, self.client:
            # httpx drops nothing and trims nothing: what is in the case is what arrives.
            answer = await client.post("http://service/test", json=todo, headers=case.sent)
        assert answer.status_code == 200, answer.text
        return [outgoing(headers) for headers in self.received]


def outgoing(headers: list[tuple[str, str]]) -> tuple[TraceParent, list[tuple[str, str]]]:
    """Read a call the way the suite does: one valid traceparent of version 00, a valid state."""
    parents = [value for name, value in headers if name.lower() == "traceparent"]
    assert len(parents) == 1, f"expected one traceparent, found {parents}"
    assert parents[0].startswith("00-")
    trace = parse_traceparent(parents[0])
    assert trace is not None, f"sent an invalid traceparent: {parents[0]}"
    states = [value for name, value in headers if name.lower() == "tracestate"]
    members = parse_tracestate(states)
    assert members is not None, f"sent an invalid tracestate: {states}"
    assert "" not in states, "an empty tracestate is not sent"
    return trace, list(members)


def judge(case: Case, calls: list[tuple[TraceParent, list[tuple[str, str]]]]) -> None:
    """Demand of the calls what the suite demands."""
    assert len(calls) == case.calls
    assert len({trace.parent_id for trace, _ in calls}) == case.calls
    for trace, members in calls:
        given_ids = {value.strip().split("-")[1] for _, value in case.sent if value.count("-") >= 3}
        if case.continues is not None:
            assert (trace.trace_id == TRACE) is case.continues
        if not case.continues:
            assert trace.trace_id not in given_ids
        assert trace.parent_id != SPAN
        if case.flags is not None:
            assert trace.flags & case.flags == case.flags
        others = [member for member in members if member[0] != "narration"]
        assert others[: len(case.state)] == case.state
        assert not {key for key, _ in members} & set(case.lost)
        assert len(members) <= case.at_most


def suite_ids() -> list[str]:
    counts: Counter[str] = Counter()
    ids = []
    for case in SUITE:
        counts[case.test] += 1
        ids.append(f"{case.test}-{counts[case.test]}")
    return ids


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
        async def serve(self, scope: Any, receive: Any, send: Any) -> None:
            from pytest_narration.emit import narrate

            narrate("count", "Counted", actor="suite")
            await super().serve(scope, receive, send)

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
