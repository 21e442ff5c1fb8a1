"""What a story says: stable values stay, ids keep their identity, volatile values are named."""

from __future__ import annotations

import re
import time
from itertools import permutations

import pytest

from pytest_narration.errors import ConfigurationError
from pytest_narration.event import Event
from pytest_narration.story import Redactions, Story
from tests.unit.story.making import World, cause


def said(human: str = "", /, redact: object = (), **fields: object) -> str:
    """Tell one event and return its sentence."""
    columns = {name: v for name, v in fields.items() if name in Event.__struct_fields__}
    extra = {name: v for name, v in fields.items() if name not in columns}
    event = Event(action="a", actor="x", human=human, extra=extra, **columns)  # type: ignore[arg-type]
    (line,) = Story.of([event], redact=redact).lines  # type: ignore[arg-type]
    return line.said


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{tokens_in} tokens", 16, "16 tokens"),
        ("{model_ref}", "tiny", "tiny"),
        ("{took_ms} ms", 16, "{took_ms} ms"),
        ("{ratio}", 0.25, "{ratio}"),
        ("{port}", 8080, "{port}"),
        ("{target}", "127.0.0.1:1", "{target}"),
        ("{tok_per_s} tok/s", 12, "{tok_per_s} tok/s"),
        ("{vram_free_bytes}", 12, "{vram_free_bytes}"),
        ("{worker_id}", "worker-gpu0-r1", "worker#1"),
        ("{thing}", "5f3759df-1111-4222-8333-123456789abc", "thing#1"),
        ("{reason}", "no answer from 10.0.0.1:80 in 5 s", "no answer from {address} in {duration}"),
        ("{absent}", None, "{absent}"),
        ("{count:03}", 7, "007"),
        ("{flag}", True, "True"),
        ("{names}", ["a", "b"], '["a","b"]'),
    ],
)
def test_a_template_shows_each_value_as_its_kind_asks(
    template: str, value: object, expected: str
) -> None:
    name = re.match(r"\{(\w+)", template)
    assert name is not None
    assert said(template=template, **{name[1]: value}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("took 12.5 ms", "took {duration}"),
        ("took 3s", "took {duration}"),
        ("at 2025-01-31T09:30:00.125Z", "at {time}"),
        ("at 09:30:00", "at {time}"),
        ("job 5f3759df-1111-4222-8333-123456789abc", "job id#1"),
        ("commit 3f786850e387550fdab836ed7e6dc881de23001b", "commit id#1"),
        ("ulid 01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid id#1"),
        ("from 192.168.0.1:4000", "from {address}"),
        ("from [::1]:4000", "from {address}"),
        ("on localhost:8080", "on {address}"),
        ("wrote /tmp/pytest-1/x.log now", "wrote {path} now"),
        ("as pid 4711", "as pid {pid}"),
        ("GET https://example.org/a?b=1", "GET {url}"),
        ("object at 0x7f3a2b1c", "object at {pointer}"),
        ("version 1.2.3 of 10 things", "version 1.2.3 of 10 things"),
        ("effaced facade", "effaced facade"),
        ("123456789012 items", "123456789012 items"),
        ("", ""),
        ("just {braces} and }{", "just {braces} and }{"),
    ],
)
def test_text_without_a_template_loses_its_volatile_parts(text: str, expected: str) -> None:
    assert said(text) == expected


def test_a_template_that_is_none_is_text() -> None:
    assert said("set {a, b}", template="set {a, b") == "set {a, b}"


def test_a_job_is_named_after_its_service() -> None:
    world = World()
    job = world.id()
    world.say("orchestrator", "go", "Job {job_id}", job_id=job)
    (line,) = Story.of(world.events).lines
    assert (line.said, line.job) == ("Job job:orchestrator#1", "job:orchestrator#1")


def test_an_id_in_free_text_has_the_name_it_has_elsewhere() -> None:
    world = World()
    job = world.id()
    world.say("a", "go", "Job {job_id}", job_id=job)
    world.events.append(
        Event(
            action="late", actor="b", service="b", human=f"lost {job}", cause=cause(*world.events)
        )
    )
    assert [line.said for line in Story.of(world.events).lines] == ["Job job:a#1", "lost job:a#1"]


def test_a_swapped_parent_job_changes_the_story() -> None:
    """Two jobs of the same words: only the link to the parent differs."""

    def story(is_swapped: bool) -> str:
        world = World()
        above = [world.say("up", "call", "Job {job_id}", job_id=world.id()) for _ in range(2)]
        for number, caller in enumerate(above):
            parent = above[1 - number if is_swapped else number]
            world.say(
                "down", "serve", job_id=world.id(), parent_job_id=parent.job_id, cause=cause(caller)
            )
        told = Story.of(world.events)
        return f"{told}{told.jobs}"

    assert story(is_swapped=True) != story(is_swapped=False)


def test_two_parents_of_one_job_are_both_shown() -> None:
    world = World()
    job = world.id()
    for _ in range(2):
        world.say("a", "go", job_id=job, parent_job_id=world.id())
    (entry,) = Story.of(world.events).jobs
    assert entry.parents == ("job#1", "job#2")


def test_lanes_of_one_service_are_numbered_by_appearance_from_the_second_on() -> None:
    world = World()
    one = world.say("worker", "crash", instance="host-9:77")
    world.say("worker", "start", instance="host-1:12", cause=cause(one))
    assert [lane.label for lane in Story.of(world.events).lanes] == ["worker", "worker (2)"]


def test_a_line_without_an_actor_is_told_without_a_gap() -> None:
    event = Event(action="go", actor="", service="a", human="Went")
    assert str(Story.of([event])) == "a  `go`  Went  [stdout]"


def test_redactions_name_fields_and_patterns() -> None:
    fields = {"template": "Order {order} for {name}", "order": "A-17", "name": "Ada"}
    assert said(redact=["name"], **fields) == "Order A-17 for {name}"
    assert said(redact={"order_no": r"[A-Z]-\d+"}, **fields) == "Order {order_no} for Ada"
    assert said(redact=[re.compile("Order A")], **fields) == "{redacted}-17 for Ada"


def test_the_order_of_redactions_changes_nothing() -> None:
    """They overlap, and one matches what another one puts in its place."""
    patterns = [("b", r"1 2"), ("a", r"2 3 4"), ("c", r"\{b\}"), ("d", r"2"), ("e", "1 2 3")]
    results = {said("1 2 3 4", redact=dict(order)) for order in permutations(patterns)}
    assert results == {"{e} 4"}


def test_redactions_that_are_wrong_say_so() -> None:
    with pytest.raises(ConfigurationError, match=r"pattern 'x' = '\('"):
        Redactions.of({"x": "("})
    with pytest.raises(ConfigurationError, match="expected a list"):
        Redactions.of("port")
    with pytest.raises(ConfigurationError, match="neither"):
        Redactions.of([1])  # type: ignore[list-item]


def test_modes_choose_the_sentence_and_fall_back_to_the_plain_one() -> None:
    world = World()
    world.say(
        "a", "go", "Took {took_ms} ms", took_ms=5, cute="Zoom! 12 ms", story='"Done," it said'
    )
    world.say("a", "stop")
    assert [x.said for x in Story.of(world.events, mode="cute").lines] == [
        "Zoom! {duration}",
        "Did stop",
    ]
    assert Story.of(world.events).retold(mode="story").lines[0].said == '"Done," it said'


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 60_000, "1" * 60_000, "a." * 30_000 + "1", "C:\\" * 20_000 + "1", "1 " * 30_000),
        *("://" * 20_000, "/tmp/" * 12_000, "[::" * 20_000, "12:" * 20_000, "1.2." * 15_000),
    ],
)
def test_long_text_is_searched_in_linear_time(text: str) -> None:
    began = time.perf_counter()
    said(text)
    assert time.perf_counter() - began < 2.0
