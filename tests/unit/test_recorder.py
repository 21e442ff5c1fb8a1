"""The recorder: nothing is lost, nothing is consumed, and questions have one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.pattern import any_of, between
from pytest_narration.recorder import Ending, Evidence, Recorder
from pytest_narration.wire import Rejected

EVENTS = [
    Event(event_id="1", service="worker", actor="tok", action="a", correlation_id="c1", seq=1),
    Event(event_id="2", service="worker", actor="tok", action="b", correlation_id="c2", seq=2),
    Event(event_id="3", service="orch", actor="api", action="a", correlation_id="c1", job_id="j"),
]


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder()
    for event in EVENTS:
        recorder.add_event(event, source=event.service or "")
    return recorder


def ids(evidence: Evidence, **where: Any) -> str:
    return "".join(event.event_id or "?" for event in evidence.events(**where))


def test_events_come_back_in_arrival_order(recorder: Recorder) -> None:
    assert recorder.events() == EVENTS
    assert [record.index for record in recorder.records()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"action": "a"}, "13"),
        ({"action": "a", "service": "orch"}, "3"),
        ({"correlation_id": "c1", "job_id": None}, "1"),
        ({"correlation_id": "nobody"}, ""),
        ({"seq": between(2, 9)}, "2"),
        ({"action": any_of("b", "z")}, "2"),
        ({"source": "orch"}, "3"),
        ({"channel": "sse"}, ""),
        ({"no_such_field": None}, "123"),
        ({"no_such_field": 1}, ""),
    ],
)
def test_queries_select_by_any_field(
    recorder: Recorder, where: dict[str, Any], expected: str
) -> None:
    assert ids(recorder, **where) == expected


def test_an_event_on_two_channels_is_two_records_and_one_event(recorder: Recorder) -> None:
    recorder.add_event(EVENTS[2], channel="sse", source="client", stream="j")

    assert ids(recorder, action="a") == "13"
    assert [(r.channel, r.stream) for r in recorder.records(event_id="3")] == [
        ("stdout", None),
        ("sse", "j"),
    ]


def test_events_without_an_id_are_never_taken_for_one_another() -> None:
    recorder = Recorder()
    for _ in range(2):
        recorder.add_event(Event(action="a"))

    assert len(recorder.events()) == 2


def test_a_mark_divides_what_came_from_what_will(recorder: Recorder) -> None:
    mark = recorder.mark()
    later = recorder.since(mark)
    assert later.events() == []

    recorder.add_event(EVENTS[0])

    assert ids(later) == "1", "a view grows"
    assert ids(recorder.until(mark)) == "123"
    assert ids(recorder.since(1).until(2)) == "2"


def test_a_view_of_a_request_has_its_events_streams_and_calls(recorder: Recorder) -> None:
    recorder.add_frame("started", '{"job_id": "j"}', stream="j")
    recorder.add_frame("started", "{}", stream="other")
    for correlation_id in ("c1", "c2"):
        recorder.add_exchange(
            source="client",
            method="POST",
            url="/v1/jobs",
            status=202,
            request_headers={},
            response_headers={"X-Correlation-Id": correlation_id},
        )
    request = recorder.for_correlation("c1")

    assert ids(request) == "13"
    assert ids(request, correlation_id="c2") == ""
    assert [frame.stream for frame in request.frames()] == ["j"]
    assert [e.response_headers for e in request.exchanges] == [{"x-correlation-id": "c1"}]
    assert ids(request.since(1)) == "3"
    assert request.match(action="b") is None


def test_a_view_of_a_request_stays_with_it_whatever_is_asked(recorder: Recorder) -> None:
    assert ids(recorder.for_correlation("c1"), correlation_id=any_of("c1", "c2")) == "13"


def test_one_counter_orders_everything(recorder: Recorder) -> None:
    frame = recorder.add_frame("end", stream="j")
    record = recorder.add_event(EVENTS[0])

    assert (frame.index, record.index) == (3, 4)
    assert recorder.since(4).frames() == []
    assert recorder.since(3).frames("j") == [frame]
    assert recorder.frames("other") == []


def test_rejected_lines_and_endings_are_kept(recorder: Recorder) -> None:
    rejected = Rejected(b"}{", "not JSON", "worker", 17)
    ending = Ending("worker", "cut off", "connection reset")
    recorder.add_rejected(rejected)
    recorder.add_ending(ending)
    mark = recorder.mark()

    assert recorder.rejected == [rejected]
    assert recorder.endings == [ending]
    assert recorder.since(mark).rejected == []
    assert recorder.since(mark).endings == [], "what ended before a view began is not its matter"


def test_a_source_that_is_read_again_counts_by_its_last_ending(recorder: Recorder) -> None:
    recorder.add_ending(Ending("stream:1", "cut off", "the client left"))
    recorder.add_ending(Ending("stream:1", "complete"))

    assert recorder.endings == [Ending("stream:1", "complete")]


def test_many_events_can_be_added_at_once(recorder: Recorder) -> None:
    """Even from a generator that asks the recorder meanwhile."""
    again = (event for event in EVENTS if recorder.events())
    recorder.add_events(again, channel="sse", source="client", stream="j")

    assert [(r.index, r.source) for r in recorder.records(channel="sse")] == [
        (3, "client"),
        (4, "client"),
        (5, "client"),
    ]
    assert recorder.wait_for(source="client", timeout=0).record.index == 3


def test_events_added_together_are_found_as_those_added_one_by_one() -> None:
    events = [
        Event(action=f"a{n % 3}", service="s" if n % 2 else None, correlation_id=f"c{n % 5}", seq=n)
        for n in range(20)
    ]
    together, single = Recorder(clock=lambda: 7.0), Recorder(clock=lambda: 7.0)
    for recorder in (together, single):
        recorder.add_frame("started", source="x")
    together.add_events(events[:12], source="x")
    together.add_events(events[12:], source="x")
    for event in events:
        single.add_event(event, source="x")

    assert together.records() == single.records()
    assert together.mark() == single.mark()
    for column in ("action", "service", "correlation_id"):
        assert together.values(column) == single.values(column)
        for value in single.values(column):
            assert together.records(**{column: value}) == single.records(**{column: value})


def test_columns_can_be_listed_and_counted(recorder: Recorder) -> None:
    assert recorder.values("service") == ["worker", "orch"]
    assert recorder.count("service", "worker") == 2
    assert recorder.count("service", "nobody") == 0


def test_answers_are_copies(recorder: Recorder) -> None:
    recorder.events().clear()
    recorder.rejected.append(Rejected(b"", "never added"))

    assert ids(recorder) == "123"
    assert recorder.rejected == []


def test_an_empty_recorder_is_still_true() -> None:
    """``recorder or default`` must not replace it."""
    assert Recorder()


_QUESTIONS: list[Callable[[Recorder], object]] = [
    lambda r: r.events(),
    lambda r: r.records(action="a"),
    lambda r: r.for_correlation("c1").events(),
    lambda r: r.since(1).records(service="worker"),
    lambda r: r.match(action="b"),
    lambda r: r.wait_for(action="a", timeout=0),
    lambda r: r.values("action"),
    lambda r: r.mark(),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_QUESTIONS), max_size=12), st.sampled_from(_QUESTIONS))
def test_no_question_changes_the_answer_to_another(
    before: list[Callable[[Recorder], object]], question: Callable[[Recorder], object]
) -> None:
    recorder = Recorder()
    for event in EVENTS:
        recorder.add_event(event)
    answer = question(recorder)
    for other in before:
        other(recorder)

    assert question(recorder) == answer


_FIELDS = {"correlation_id": ["c1", "c2", None], "action": ["a", "b"], "service": ["s", "t", None]}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({k: st.sampled_from(v) for k, v in _FIELDS.items()})),
    st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in _FIELDS.items()}),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_indexes_answer_like_a_scan(
    rows: list[dict[str, Any]], where: dict[str, Any], start: int, stop: int
) -> None:
    recorder = Recorder()
    for row in rows:
        recorder.add_event(Event(**row))
    scan = [
        record
        for record in recorder.records()
        if start <= record.index < stop
        and all(record.event.field(name) == value for name, value in where.items())
    ]

    assert recorder.since(start).until(stop).records(**where) == scan


def test_threads_that_add_and_wait_lose_nothing() -> None:
    """4 threads add 500 events each; 40 waiters, each for another event, all see theirs."""
    recorder = Recorder()
    seen: list[int] = []

    def add(thread: int) -> None:
        for n in range(500):
            recorder.add_event(Event(action="n", extra={"n": thread * 500 + n}))

    def wait(n: int) -> None:
        seen.append(recorder.wait_for(action="n", n=n, timeout=30).event.extra["n"])

    wanted = range(0, 2000, 50)
    threads = [threading.Thread(target=wait, args=(n,)) for n in wanted]
    threads += [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(seen) == list(wanted)
    records = recorder.records()
    assert sorted(r.event.extra["n"] for r in records) == list(range(2000))
    assert [r.index for r in records] == list(range(2000))
    for thread in range(4):
        own = [n for r in records if (n := r.event.extra["n"]) // 500 == thread]
        assert own == sorted(own), "each thread's order is kept"
