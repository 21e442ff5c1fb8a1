"""Older events are packed, and nobody can tell."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.recorder.shelf import UNPACKED, Shelf

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    Event,
    action=st.text(max_size=5),
    correlation_id=st.none() | st.text(max_size=5),
    seq=st.none() | st.integers(0, 2**40),
    duration_ms=st.none() | st.integers(0, 9) | st.floats(0, 9),
    cause=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    extra=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(EVENTS, max_size=6))
def test_events_come_back_as_they_were(events: list[Event]) -> None:
    shelf = Shelf(unpacked=2)
    for event in events:
        shelf.append(event)

    assert [shelf[n] for n in range(len(shelf))] == events
    assert [repr(shelf[n]) for n in range(len(shelf))] == list(map(repr, events))


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: 2}, {"a": {3}}, b"x", 2**70, dt.datetime(2025, 1, 1, tzinfo=dt.UTC), "\ud800"],
    ids=repr,
)
def test_what_packing_would_change_stays_as_it_is(value: Any) -> None:
    shelf = Shelf(unpacked=0)
    event = Event(action="a", extra={"value": value})
    shelf.append(event)

    assert shelf[0] is event


def test_a_test_of_ordinary_size_gets_the_very_objects_back() -> None:
    recorder = Recorder()
    events = [Event(action="a") for _ in range(UNPACKED)]
    recorder.add_events(events)

    assert all(one is other for one, other in zip(recorder.events(), events, strict=True))


def test_a_long_capture_keeps_little_more_than_its_text() -> None:
    recorder = Recorder()
    for n in range(UNPACKED + 100):
        recorder.add_event(Event(event_id=str(n), action="tokenize", human="Tokenized prompt"))
    kept = recorder._log._events._kept

    assert max(map(sys.getsizeof, kept[:100])) < 120
    assert [e.event_id for e in recorder.events()[:100]] == [str(n) for n in range(100)]
