"""Vector clocks of foreign logs order a story as they order the events."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.formats import Reader
from pytest_narration.story import Line, Parallel, Story


def event(host: str, text: str, **clock: int) -> Event:
    return Event(action="log", actor=host, service=host, human=text, extra={"clock": clock})


def said(story: Story) -> list[str]:
    return [line.said for line in story.lines]


def test_a_message_orders_two_hosts() -> None:
    events = [
        event("b", "received", a=1, b=1),
        event("a", "sent", a=1),
        event("a", "went on", a=2),
    ]
    first, block = Story.of(events).items
    assert isinstance(first, Line)
    assert first.said == "sent"
    assert isinstance(block, Parallel)


def test_an_event_that_nobody_logged_still_orders_what_was_logged_around_it() -> None:
    """GoVector ticks for each message, logged or not; filters and rotation leave gaps, too."""
    received = event("a", "received the third", a=2, b=3)
    woke, ended = event("b", "woke", b=1), event("b", "ended", b=5)
    assert said(Story.of([received, woke])) == ["woke", "received the third"]
    assert said(Story.of([ended, woke])) == ["woke", "ended"]
    assert said(Story.of([ended, received, woke]))[0] == "woke"


def test_lines_that_share_a_number_keep_their_order() -> None:
    events = [event("a", text, a=1) for text in ("z", "y", "x")]
    assert said(Story.of([*events, event("b", "heard", a=1, b=1)])) == ["z", "y", "x", "heard"]


@pytest.mark.parametrize(
    "lines",
    [
        [
            {"host": "b", "clock": {"a": 1, "b": 1}, "event": "received"},
            {"host": "a", "clock": {"a": 1}, "event": "sent"},
        ],
        [
            {"processId": "b", "VCString": '{"a":1, "b":1}', "message": "received"},
            {"processId": "a", "VCString": '{"a":1}', "message": "sent"},
        ],
        [
            {"service": "b", "vector_clock": {"a": 1, "b": 1}, "msg": "received"},
            {"service": "a", "vector_clock": {"a": 1}, "msg": "sent"},
        ],
    ],
    ids=["ShiViz", "GoVector", "of one's own"],
)
def test_what_prints_clocks_is_read_as_it_is_and_has_a_lane_for_each_host(
    lines: list[dict[str, object]],
) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    events = [e for e in Reader().feed(text.encode()) if isinstance(e, Event)]
    story = Story.of(events)
    assert said(story) == ["sent", "received"]
    assert [lane.label for lane in story.lanes] == ["a", "b"]


@pytest.mark.parametrize("clock", ["{", "[1]", {"a": "1"}, {"a": True}, {}, {"other": 1}, None, 7])
def test_what_is_no_clock_of_its_emitter_orders_nothing(clock: object) -> None:
    events = [
        Event(action="log", actor="a", service="a", human=text, extra={"clock": clock})
        for text in ("second", "first")
    ]
    assert said(Story.of(events)) == ["second", "first"]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Hosts that send each other messages, each line with its vector clock."""
    hosts = ["a", "b", "c"]
    clocks: dict[str, dict[str, int]] = {host: {} for host in hosts}
    events = []
    for number in range(draw(st.integers(1, 15))):
        host = draw(st.sampled_from(hosts))
        heard = clocks[host]
        if sender := draw(st.sampled_from([None, *hosts])):
            for other, count in clocks[sender].items():
                heard[other] = max(count, heard.get(other, 0))
        heard[host] = heard.get(host, 0) + 1
        events.append(event(host, f"line-{number}-", **heard))
    return events


@settings(max_examples=150, deadline=None)
@given(logs(), st.integers(0, 10**6), st.sampled_from([0.0, 0.4]))
def test_no_line_stands_before_one_that_it_has_heard_of(
    whole: list[Event], seed: int, lost: float
) -> None:
    chance = random.Random(seed)
    events = [one for one in whole if chance.random() >= lost]
    arrived = list(events)
    chance.shuffle(arrived)
    story = Story.of(arrived)
    place = {line.said: at for at, line in enumerate(story.lines)}
    for one in events:
        for two in events:
            a, b = one.extra["clock"], two.extra["clock"]
            if a != b and all(count <= b.get(host, 0) for host, count in a.items()):
                assert place[one.human] < place[two.human]
    assert story == Story.of(events)
