"""The requests of the public W3C Trace Context validation suite, and a service to send them to.

Shared by the tests of the trace headers, with and without OpenTelemetry.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from pytest_narration.emit.asgi import NarrationMiddleware
from pytest_narration.emit.clients_httpx import AsyncNarrationTransport
from pytest_narration.emit.tracecontext import (
    MAX_MEMBERS,
    TraceParent,
    parse_traceparent,
    parse_tracestate,
)

__all__ = ["SUITE", "Case", "Harness", "bars", "judge", "outgoing", "suite_ids", "with_state"]

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
    members: int | None = None
    """How many members go out, our own included."""


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
        members=32,
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

    def __init__(self, **options: Any) -> None:
        self.received: list[list[tuple[str, str]]] = []
        own = httpx.ASGITransport(app=self.callback)
        self.client = httpx.AsyncClient(transport=AsyncNarrationTransport(own, **options))
        self.service: Any = NarrationMiddleware(self.serve, **options)

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
        await self.work(json.loads(body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"null"})

    async def work(self, calls: list[dict[str, Any]]) -> None:
        for call in calls:
            await self.client.post(call["url"], json=call["arguments"])

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
    assert len(calls) == case.calls, f"expected {case.calls} calls, the service made {len(calls)}"
    parents = [trace.parent_id for trace, _ in calls]
    assert len(set(parents)) == case.calls, f"calls share a parent id: {parents}"
    for trace, members in calls:
        given_ids = {value.strip().split("-")[1] for _, value in case.sent if value.count("-") >= 3}
        if case.continues is not None:
            assert (trace.trace_id == TRACE) is case.continues, f"went on in {trace.trace_id}"
        if not case.continues:
            # Nor may it be cut out of one that is too long.
            cut = [given for given in given_ids if trace.trace_id in given]
            assert not cut, f"{trace.trace_id} was given and is invalid"
        assert trace.parent_id != SPAN, "the caller's parent id was sent on"
        if case.flags is not None:
            assert trace.flags & case.flags == case.flags, f"flags {trace.flags:02x}"
        others = [member for member in members if member[0] != "narration"]
        assert others[: len(case.state)] == case.state, f"sent on {others}"
        assert not {key for key, _ in members} & set(case.lost), f"sent on {members}"
        assert len(members) <= MAX_MEMBERS, f"sent on {len(members)} members"
        if case.members is not None:
            assert len(members) == case.members, f"sent on {len(members)} members"


def suite_ids() -> list[str]:
    counts: Counter[str] = Counter()
    ids = []
    for case in SUITE:
        counts[case.test] += 1
        ids.append(f"{case.test}-{counts[case.test]}")
    return ids
