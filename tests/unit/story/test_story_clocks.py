"""Vector clocks of foreign logs order a story as they order the events."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.story import Parallel, Story


def event(host: str, text: str, **clock: int) -> Event:
    return Event(action="log", actor=host, service=host, human=text, extra={"clock": clock})


def test_a_message_orders_two_hosts() -> None:
    events = [
        event("b", "received", a=1, b=1),
        event("a", "sent", a=1),
        event("a", "went on", a=2),
    ]
    first, block = Story.of(events).items
    assert first.said == "sent"  # type: ignore[union-attr]
    assert isinstance(block, Parallel)


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


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 10**6))
def test_no_line_stands_before_one_that_it_has_heard_of(events: list[Event], seed: int) -> None:
    arrived = list(events)
    random.Random(seed).shuffle(arrived)
    story = Story.of(arrived)
    place = {line.said: at for at, line in enumerate(story.lines)}
    for one in events:
        for two in events:
            a, b = one.extra["clock"], two.extra["clock"]
            if a != b and all(count <= b.get(host, 0) for host, count in a.items()):
                assert place[one.human] < place[two.human]
    assert story == Story.of(events)
