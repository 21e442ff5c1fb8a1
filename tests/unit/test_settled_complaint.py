"""A test is judged once what its services printed has arrived."""

from __future__ import annotations

from pytest_narration._plugin_settling import settled_complaint
from pytest_narration.event import Event
from pytest_narration.explain import waited
from pytest_narration.recorder import Ending, Recorder

EVENT = Event(event_id="e-1", service="cart", actor="cart", action="ask", human="Asking")


def test_a_complaint_is_judged_again_when_something_arrived_after_it() -> None:
    recorder = Recorder()
    recorder.attach("cart", lambda: None)
    judged: list[int] = []

    def judge() -> str:
        judged.append(len(recorder.events()))
        if len(judged) == 1:
            recorder.add_event(EVENT, source="cart")
        return "" if len(recorder.events()) > judged[0] and len(judged) > 1 else "missing"

    assert settled_complaint(recorder, judge) == ""
    assert judged == [0, 1]


def test_a_complaint_that_nothing_changed_stands() -> None:
    recorder = Recorder()
    recorder.attach("cart", lambda: None)
    judged = iter(["missing"])

    assert settled_complaint(recorder, lambda: next(judged)) == "missing"


def test_a_complaint_says_what_went_on_when_services_did_not_fall_silent() -> None:
    recorder = Recorder(explain=waited)
    recorder.attach("cart", lambda: None)
    recorder.add_frame("started", stream="j-1", source="test")

    complaint = settled_complaint(recorder, lambda: "missing", timeout=0.05)

    first, second = complaint.splitlines()
    assert first == "missing"
    assert second.startswith("judged 0.05 s after the test's end although more may come: job j-1 ")
    assert settled_complaint(recorder, lambda: "", timeout=0.05) == ""


def test_nothing_is_waited_for_when_no_source_can_bring_more() -> None:
    seconds = iter([0.0] * 20)  # a clock that stands: a wait would never end
    recorder = Recorder(clock=lambda: next(seconds))
    recorder.attach("cart", lambda: 0, announces_end=True)
    recorder.add_event(EVENT, source="cart")
    recorder.add_ending(Ending("cart", "complete"))
    recorder.add_event(EVENT, source="in-process")

    assert not recorder.can_grow()
    assert settled_complaint(recorder, lambda: "missing") == "missing"


def test_a_stream_that_was_seen_and_did_not_end_can_bring_more() -> None:
    recorder = Recorder()
    assert not recorder.can_grow()
    recorder.add_event(EVENT, source="log")
    assert recorder.can_grow()
    recorder.add_ending(Ending("log", "complete"))
    assert not recorder.can_grow()
