"""What a hop reads from a request, sends on, and learns from an answer."""

from __future__ import annotations

import queue
import re
import uuid
from contextvars import copy_context
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pytest_narration.emit import current_context, narrate, narration_context
from pytest_narration.emit.headers import (
    MAX_ID_CHARS,
    extract,
    inject,
    is_id,
    learn,
    narrate_replaced,
    response_headers,
)
from pytest_narration.emit.tracecontext import parse_traceparent, parse_tracestate

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
OTHER_SPAN = "fedcba9876543210"
PARENT = f"00-{TRACE}-{SPAN}-01"
EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
ID = "0a1b2c3d-1111-4222-8333-123456789012"


def state(headers: Any) -> dict[str, str]:
    members = parse_tracestate([headers["tracestate"]])
    assert members is not None
    return dict(members)


GIVEN = {
    "X-Correlation-Id": ID,
    "X-Parent-Job-Id": "job-1",
    "traceparent": PARENT,
    "tracestate": f"congo=t61,narration={EVENT};p:{OTHER_SPAN},rojo=1",
}


@pytest.mark.parametrize(
    "headers",
    [
        GIVEN,
        {name.upper(): value for name, value in GIVEN.items()},
        list(GIVEN.items()),
        [(name.lower().encode(), value.encode()) for name, value in GIVEN.items()],
        [(name.encode(), value.encode()) for name, value in GIVEN.items()],
        httpx.Headers(GIVEN),
        CIMultiDict(GIVEN),
        {**GIVEN, "X-Retries": 3, "X-None": None},
    ],
    ids=["dict", "upper", "pairs", "asgi", "raw", "httpx", "multidict", "queue"],
)
def test_headers_of_any_kind_are_read(headers: Any) -> None:
    """Mappings, pairs of str, ASGI's pairs of bytes; a queue's attributes may hold anything."""
    incoming = extract(headers)
    assert incoming.correlation_id == ID
    assert incoming.given
    assert incoming.replaced is None
    assert incoming.parent_job_id == "job-1"
    assert (incoming.trace_id, incoming.parent_id, incoming.trace_flags) == (TRACE, SPAN, 1)
    assert incoming.parent_span_id == OTHER_SPAN
    assert incoming.tracestate == "congo=t61,rojo=1"
    assert incoming.cause == (EVENT,)


def test_without_headers_everything_is_fresh() -> None:
    first, second = extract({}), extract([])
    assert uuid.UUID(first.correlation_id).version == 4
    assert (first.given, first.replaced, first.offered) == (False, None, None)
    assert (first.parent_job_id, first.parent_id, first.parent_span_id) == (None, None, None)
    assert first.cause == ()
    assert first.correlation_id != second.correlation_id
    assert first.trace_id != second.trace_id


def test_a_trace_that_starts_here_is_sampled_and_random() -> None:
    """Its events are recorded, and its id comes from the system's randomness (level 2)."""
    assert extract({}).trace_flags == 0x03


def test_the_alias_is_read_when_the_header_itself_is_absent() -> None:
    assert extract({"X-Request-Id": "req-1"}).correlation_id == "req-1"
    assert extract({"X-Request-Id": "req-1", "X-Correlation-Id": "c-1"}).correlation_id == "c-1"
    assert extract({"X-Request-Id": "req-1", "X-Correlation-Id": " "}).correlation_id == "req-1"


@pytest.mark.parametrize(
    "usable", [ID, "01J8ZQ4T5V", "req_8:west.2-a", "a", "7", "x" * MAX_ID_CHARS, f" {ID}\t"]
)
def test_a_usable_correlation_id_is_kept(usable: str) -> None:
    incoming = extract({"X-Correlation-Id": usable})
    assert incoming.correlation_id == usable.strip()
    assert incoming.given


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        ("x" * (MAX_ID_CHARS + 1), "too_long"),
        ("x" * 1_000_000, "too_long"),
        ("a b", "bad_character"),
        ("a\r\nX-Evil: 1", "bad_character"),
        ("a\n", "bad_character"),
        ("a\x00b", "bad_character"),
        ("é", "bad_character"),
        ("a\u202eb", "bad_character"),
        ("<script>", "bad_character"),
        ("../../etc/passwd", "bad_character"),
        (".", "bad_character"),
        ("-rf", "bad_character"),
        ("a,b", "ambiguous"),
    ],
)
def test_an_unusable_correlation_id_is_replaced_by_a_fresh_uuid(
    unusable: str, reason: str, narrated: list[dict[str, Any]]
) -> None:
    incoming = extract({"X-Correlation-Id": unusable})
    assert uuid.UUID(incoming.correlation_id)
    assert not incoming.given
    assert incoming.replaced == reason
    with incoming.context():
        narrate_replaced(incoming)
    (event,) = narrated
    assert event["action"] == "correlation_id_replaced"
    assert event["level"] == "warn"
    assert event["reason"] == reason
    assert event["correlation_id"] == incoming.correlation_id
    assert re.fullmatch(r"[\w.:?\-]{1,12}(… \[\d+ characters\])?", event["offered"], re.ASCII)
    assert event["offered"] != unusable
    assert event["human"] == f"Replaced the caller's correlation id {event['offered']} ({reason})"


def test_a_usable_id_is_not_narrated(narrated: list[dict[str, Any]]) -> None:
    narrate_replaced(extract({"X-Correlation-Id": ID}))
    narrate_replaced(extract({}))
    assert narrated == []


def test_two_correlation_ids_are_one_only_when_they_agree() -> None:
    pair = ("x-correlation-id", "a")
    assert extract([pair, pair]).correlation_id == "a"
    assert extract([pair, ("X-Correlation-ID", "b")]).replaced == "ambiguous"


@pytest.mark.parametrize("joined", ["a,a", "a, a", "a ,\ta", "a,", ",a", "a,,a"])
def test_a_field_that_a_server_or_proxy_joined_reads_as_the_fields_it_was(joined: str) -> None:
    """RFC 9110 section 5.2; WSGI servers have no other way to hand two of them over."""
    incoming = extract({"X-Correlation-Id": joined, "X-Parent-Job-Id": joined})
    assert (incoming.correlation_id, incoming.replaced) == ("a", None)
    assert incoming.parent_job_id == "a"
    assert extract({"X-Correlation-Id": ", ,", "X-Request-Id": "b"}).correlation_id == "b"


def test_a_parent_job_that_is_no_id_is_left_out() -> None:
    assert extract({"X-Parent-Job-Id": "a\nb"}).parent_job_id is None
    assert extract([("X-Parent-Job-Id", "a"), ("X-Parent-Job-Id", "b")]).parent_job_id is None


@pytest.mark.parametrize(
    ("member", "cause", "span"),
    [
        (EVENT, (EVENT,), SPAN),
        (f"{EVENT};p:{OTHER_SPAN}", (EVENT,), OTHER_SPAN),
        (f"p:{OTHER_SPAN}", (), OTHER_SPAN),
        (f"{EVENT};{ID};p:{OTHER_SPAN}", (EVENT, ID), OTHER_SPAN),
        (";".join([EVENT] * 6), (EVENT,) * 5, SPAN),
        ("nonsense", (), SPAN),
        (f"{EVENT};p:{'0' * 16}", (EVENT,), SPAN),
        (f"p:{OTHER_SPAN};{EVENT}", (EVENT,), SPAN),
    ],
)
def test_our_member_names_the_callers_events_and_span(
    member: str, cause: tuple[str, ...], span: str
) -> None:
    incoming = extract({"traceparent": PARENT, "tracestate": f"narration={member}"})
    assert incoming.cause == cause
    assert incoming.parent_span_id == span
    assert incoming.tracestate == ""


def test_other_systems_members_are_cut_to_512_characters_in_whole() -> None:
    members = [f"k{n}={'x' * 100}" for n in range(10)]
    incoming = extract({"traceparent": PARENT, "tracestate": ",".join(members)})
    assert incoming.tracestate == ",".join(members[:4])


def test_a_context_binds_what_came_in_and_a_span_of_its_own() -> None:
    incoming = extract(GIVEN)
    with incoming.context(job_id="mine") as context:
        assert context.get("correlation_id") == ID
        assert context.get("parent_job_id") == "job-1"
        assert context.get("job_id") == "mine"
        assert context.get("trace_id") == TRACE
        assert context.get("parent_span_id") == OTHER_SPAN
        assert context.get("span_id") not in (None, SPAN, OTHER_SPAN)
        assert context.trail.pending == [EVENT]


def test_the_first_event_of_a_request_names_its_cause(narrated: list[dict[str, Any]]) -> None:
    with extract(GIVEN).context():
        narrate("one", "One")
        narrate("two", "Two")
    assert narrated[0]["cause"] == [EVENT]
    assert "cause" not in narrated[1]
    assert narrated[0]["span_id"] == narrated[1]["span_id"]
    assert narrated[0]["parent_span_id"] == OTHER_SPAN
    assert not {"tracestate", "trace_flags"} & narrated[0].keys()


def test_a_call_carries_the_context() -> None:
    with extract(GIVEN).context(job_id="mine") as context:
        event = narrate("call", "Calling")
        sent = inject()
        assert sent["X-Correlation-Id"] == ID
        assert sent["X-Parent-Job-Id"] == "mine"
        assert sent["tracestate"] == (
            f"narration={event};p:{context.get('span_id')},congo=t61,rojo=1"
        )
        parent = parse_traceparent(sent["traceparent"])
    assert parent is not None
    assert (parent.trace_id, parent.flags) == (TRACE, 1)
    assert parent.parent_id not in (SPAN, OTHER_SPAN)


def test_the_next_hop_reads_what_this_one_sent() -> None:
    """The callee's events have the caller's last event as cause and the caller's span as parent."""
    with extract({}).context(job_id="outer") as context:
        event = narrate("call", "Calling")
        sent = inject()
    incoming = extract(sent)
    assert incoming.correlation_id == context.get("correlation_id")
    assert incoming.trace_id == context.get("trace_id")
    assert incoming.trace_flags == 0x03
    assert incoming.parent_span_id == context.get("span_id")
    assert incoming.parent_job_id == "outer"
    assert incoming.cause == (event,)


def test_each_call_has_a_parent_id_of_its_own() -> None:
    with extract(GIVEN).context():
        parents = {inject()["traceparent"] for _ in range(20)}
    assert len(parents) == 20


def test_without_a_context_the_headers_stay_as_they_are() -> None:
    headers = {"X-Correlation-Id": "mine", "Accept": "*/*"}
    assert copy_context().run(inject, headers) == {"X-Correlation-Id": "mine", "Accept": "*/*"}
    assert current_context() is None
    assert inject() == {}


@pytest.mark.parametrize("kind", [dict, httpx.Headers, CIMultiDict])
def test_headers_of_the_request_being_answered_are_replaced(kind: Any) -> None:
    """A proxy copies what it got; a second traceparent would make the next hop drop both."""
    headers = kind(
        {"TraceParent": PARENT, "TraceState": "old=1", "x-correlation-id": "old", "A": "b"}
    )
    with extract({"X-Correlation-Id": ID}).context():
        assert inject(headers) is headers
    lowered = [name.lower() for name in headers]
    assert sorted(lowered) == ["a", "traceparent", "tracestate", "x-correlation-id"]
    assert extract(headers).correlation_id == ID
    assert "old" not in state({"tracestate": extract_raw(headers, "tracestate")})


def extract_raw(headers: Any, wanted: str) -> str:
    (value,) = [str(value) for name, value in headers.items() if name.lower() == wanted]
    return value


def test_a_service_without_a_job_passes_on_whose_job_it_works_for() -> None:
    with extract(GIVEN).context():
        assert inject()["X-Parent-Job-Id"] == "job-1"


def test_ids_that_may_not_travel_are_left_out() -> None:
    """Services bind what they like; a header never gets a line break or text that is not ASCII."""
    evil = "x\r\nSet-Cookie: a=b"
    values = {"correlation_id": evil, "job_id": evil, "span_id": evil, "trace_id": evil}
    with narration_context(**values, tracestate=f"foo=1,{evil}") as context:
        narrate("call", "Calling")
        sent = inject()
        answered = response_headers(extract({}), context, {})
    for name, value in [*sent.items(), *answered]:
        assert re.fullmatch(r"[\x20-\x7e]+", name + value)
    assert "X-Correlation-Id" not in sent
    assert "X-Parent-Job-Id" not in sent
    assert set(state(sent)) == {"narration"}


def test_a_hand_made_tracestate_is_checked_before_it_is_sent() -> None:
    with narration_context(correlation_id="c", tracestate=f" foo=1 ,narration={EVENT}, bar=2"):
        assert inject()["tracestate"] == "foo=1,bar=2"


def test_calls_of_one_correlation_share_a_trace_when_none_is_bound() -> None:
    traces = set()
    for _ in range(2):
        with narration_context(correlation_id="c-1"):
            traces.add(extract(inject()).trace_id)
    with narration_context(correlation_id="c-2"):
        traces.add(extract(inject()).trace_id)
    assert len(traces) == 2


def test_another_trace_does_not_inherit_flags_and_state() -> None:
    with extract(GIVEN).context(), narration_context(trace_id="a" * 32):
        sent = inject()
    assert extract(sent).trace_id == "a" * 32
    assert set(state(sent)) == {"narration"}


def test_an_answer_becomes_the_cause_of_the_next_event(narrated: list[dict[str, Any]]) -> None:
    with extract({}).context():
        narrate("call", "Calling")
        learn({"X-Narration-Cause": EVENT})
        learn({"x-narration-cause": EVENT})
        narrate("answer", "Answered")
        narrate("done", "Done")
    assert "cause" not in narrated[0]
    assert narrated[1]["cause"] == [EVENT]
    assert "cause" not in narrated[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-NARRATION-CAUSE": EVENT},
        [("X-Narration-Cause", EVENT)],
        [(b"x-narration-cause", EVENT.encode())],
        httpx.Headers({"X-Narration-Cause": EVENT}),
        CIMultiDict({"x-Narration-cause": EVENT}),
        {"X-Narration-Cause": f" {EVENT} , nonsense"},
    ],
)
def test_answers_of_any_kind_are_learnt_from(headers: Any) -> None:
    with extract({}).context() as context:
        learn(headers)
        assert context.trail.pending == [EVENT]


@pytest.mark.parametrize("value", ["", "nonsense", "a\r\nb", EVENT + "0", "{" + EVENT + "}", 7])
def test_an_answer_that_names_no_event_teaches_nothing(value: Any) -> None:
    with extract({}).context() as context:
        learn({"X-Narration-Cause": value})
        learn({})
        learn([])
        assert context.trail.pending == []


def test_a_thousand_answers_without_a_word_are_remembered_in_part() -> None:
    with extract({}).context() as context:
        for _ in range(1000):
            learn({"X-Narration-Cause": str(uuid.uuid4())})
        learn({"X-Narration-Cause": EVENT})
        assert len(context.trail.pending) <= 32
        assert context.trail.pending[-1] == EVENT


def test_outside_a_context_nothing_is_learnt() -> None:
    learn({"X-Narration-Cause": EVENT})
    assert current_context() is None


def test_a_call_made_right_after_an_answer_comes_after_both() -> None:
    """What was learnt and not yet narrated goes along with the last event."""
    with extract({}).context():
        event = narrate("call", "Calling")
        learn({"X-Narration-Cause": EVENT})
        assert extract(inject()).cause == (event, EVENT)


def test_our_member_never_exceeds_what_a_member_may_hold() -> None:
    with extract({}).context():
        event = narrate("call", "Calling")
        for _ in range(40):
            learn({"X-Narration-Cause": str(uuid.uuid4())})
        sent = inject()
    assert len(state(sent)["narration"]) <= 256
    incoming = extract(sent)
    assert len(incoming.cause) == 5
    assert incoming.cause[0] == event


def test_a_response_names_the_last_event_and_what_is_still_unsaid() -> None:
    incoming = extract(GIVEN)
    with incoming.context() as context:
        assert response_headers(incoming, context, {}) == [
            ("X-Correlation-Id", ID),
            ("X-Request-Id", ID),
        ]
        event = narrate("work", "Worked")
        with narration_context(job_id="branch"):
            last = narrate("branch", "Branched")
        assert (
            dict(response_headers(incoming, context, {}))["X-Narration-Cause"] == f"{event}, {last}"
        )


def test_a_response_does_not_repeat_what_the_application_said() -> None:
    incoming = extract(GIVEN)
    with incoming.context() as context:
        narrate("work", "Worked")
        own = {"x-correlation-id": "app", "x-narration-cause": "app"}
        assert response_headers(incoming, context, own) == [("X-Request-Id", "app")]


texts = st.text(max_size=200) | st.binary(max_size=200)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X-Correlation-Id", "X-Request-Id", "X-Parent-Job-Id", "traceparent"])
            | st.just("tracestate"),
            texts | st.just(PARENT) | st.just(f"narration={EVENT},a=b"),
        ),
        max_size=6,
    )
)
def test_whatever_comes_in_only_safe_text_goes_out(pairs: list[tuple[str, Any]]) -> None:
    incoming = extract(pairs)
    assert is_id(incoming.correlation_id)
    assert incoming.parent_job_id is None or is_id(incoming.parent_job_id)
    with incoming.context(job_id="j"):
        sent = inject()
    assert all(re.fullmatch(r"[\x20-\x7e]+", value) for value in sent.values())
    again = extract(sent)
    assert again.correlation_id == incoming.correlation_id
    assert again.trace_id == incoming.trace_id
    assert again.trace_flags == incoming.trace_flags
    assert again.tracestate == incoming.tracestate


def test_a_queue_carries_the_story_over(narrated: list[dict[str, Any]]) -> None:
    """The consumer's loop of docs/headers.md."""
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    with extract({"X-Correlation-Id": ID}).context(job_id="producer"):
        enqueued = narrate("enqueue", "Enqueued", actor="producer")
        messages.put({"attributes": inject({"content-type": "text/plain"})})
    incoming = extract(messages.get_nowait()["attributes"])
    with incoming.context(job_id="consumer"):
        narrate_replaced(incoming, actor="consumer")
        narrate("handle", "Handled", actor="consumer")
    sent, handled = narrated
    assert handled["correlation_id"] == ID
    assert handled["parent_job_id"] == "producer"
    assert handled["cause"] == [enqueued]
    assert handled["trace_id"] == sent["trace_id"]
    assert handled["parent_span_id"] == sent["span_id"]


def test_a_job_that_is_put_back_into_its_queue_is_not_its_own_parent() -> None:
    """As a retry does, under the same id: its first run said whose job it works for."""
    with extract({"X-Parent-Job-Id": "producer"}).context(job_id="consumer"):
        again = extract(inject())
    with again.context(job_id="consumer") as context:
        assert context.get("parent_job_id") is None
        assert inject()["X-Parent-Job-Id"] == "consumer"
    with again.context(job_id="other") as context:
        assert context.get("parent_job_id") == "consumer"
