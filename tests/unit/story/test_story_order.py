"""A story's order: happens-before, what runs side by side, and nothing of timing."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.story import Line, Loop, Parallel, Story
from tests.unit.story.making import World, cause, renamed


def told(story: Story) -> str:
    """Everything that two equal stories must agree on, byte for byte."""
    problems = [problem.text for problem in story.problems]
    return f"{story}\n{story.items}\n{story.jobs}\n{story.lanes}\n{problems}"


def actions(story: Story) -> list[str]:
    return [line.action for line in story.lines]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small systems in which much looks the same: that is where order is hard to tell."""
    world = World(seed=1)
    ids = [world.id() for _ in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(1, 12))):
        service = draw(st.sampled_from(["a", "b"]))
        fields: dict[str, object] = {"instance": f"{service}{draw(st.integers(0, 2))}"}
        for name in ("job_id", "parent_job_id", "worker_id", "correlation_id"):
            if draw(st.booleans()):
                fields[name] = draw(st.sampled_from(ids))
        if draw(st.booleans()):
            fields["task_id"] = draw(st.sampled_from(["t", "u"]))
        earlier = world.events
        if earlier:
            named = draw(st.lists(st.sampled_from(range(len(earlier))), max_size=2, unique=True))
            fields["cause"] = cause(*(earlier[n] for n in named))
        action = draw(st.sampled_from(["go", "do"]))
        world.say(service, action, draw(st.sampled_from(["X", "Y {worker_id}"])), **fields)
    return world


@settings(max_examples=150, deadline=None)
@given(worlds(), st.integers(0, 10**6))
def test_ids_clocks_arrival_and_repeated_delivery_change_nothing(world: World, seed: int) -> None:
    chance = random.Random(seed)
    other = renamed(world.events, seed)
    arrived = [*other, *chance.sample(other, len(other) // 2)]
    chance.shuffle(arrived)
    assert told(Story.of(arrived)) == told(Story.of(world.events))
    assert Story.of(arrived) == Story.of(world.events)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(0, 10**6))
def test_wrong_causes_are_broken_the_same_way_whatever_the_ids(world: World, seed: int) -> None:
    """Causes that point anywhere make rings; which link is given up must not depend on ids."""
    chance = random.Random(len(world.events))
    events = world.events
    events = [
        type(e)(**{**_fields(e), "cause": cause(*chance.sample(events, min(2, len(events))))})
        for e in events
    ]
    other = renamed(events, seed)
    random.Random(seed).shuffle(other)
    assert told(Story.of(other)) == told(Story.of(events))
    assert len(Story.of(events)) == len(events)


def _fields(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_every_line_stands_after_what_it_follows(world: World) -> None:
    """Each event says its number, so its place in the story can be looked up."""
    events = [
        type(e)(**{**_fields(e), "template": None, "human": f"event-{n}-"})
        for n, e in enumerate(world.events)
    ]
    lines = list(Story.of(events).lines)
    place = {line.said: at for at, line in enumerate(lines)}
    number = {event.event_id: f"event-{n}-" for n, event in enumerate(events)}
    for event in events:
        for before in event.cause:
            assert place[number[before]] < place[number[event.event_id]]
    for one in events:
        for two in events:
            if one.job_id and (one.instance, one.job_id, one.task_id) == (
                two.instance,
                two.job_id,
                two.task_id,
            ):
                is_earlier = (one.seq or 0) < (two.seq or 0)
                if is_earlier:
                    assert place[number[one.event_id]] < place[number[two.event_id]]


def test_branches_that_nothing_orders_are_told_as_concurrent() -> None:
    world = World()
    fork = world.say("a", "fork", job_id="j")
    left = world.say("a", "left", job_id="j", task_id="1", cause=cause(fork))
    right = world.say("b", "right", job_id="k", cause=cause(fork))
    world.say("a", "join", job_id="j", cause=cause(left, right))
    first, block, last = Story.of(world.events).items
    assert isinstance(first, Line)
    assert isinstance(last, Line)
    assert (first.action, last.action) == ("fork", "join")
    assert isinstance(block, Parallel)
    assert [[line.action for line in branch] for branch in block.branches] == [["left"], ["right"]]


def test_branches_stand_in_the_order_of_their_words_not_of_their_length() -> None:
    world = World()
    root = world.say("a", "fork", job_id="j")
    for task, steps in (("1", ["zebra"]), ("2", ["ant", "bee"])):
        last = root
        for step in steps:
            last = world.say("a", step, job_id="j", task_id=task, cause=cause(last))
    assert actions(Story.of(world.events)) == ["fork", "ant", "bee", "zebra"]


def test_of_two_equal_jobs_the_one_that_fails_is_told_apart_by_what_follows() -> None:
    """Both begin alike: only structure says which `work` belongs to the job that fails."""
    stories = set()
    for order in ([("ok", 1), ("failed", 2)], [("failed", 1), ("ok", 2)]):
        world = World(seed=len(stories))
        begun = [world.say("a", "begin", "Job {job_id}", job_id=world.id()) for _ in order]
        for event in reversed(begun):
            world.say("a", "work", "Job {job_id}", job_id=event.job_id)
        for (end, _), event in zip(order, begun, strict=True):
            world.say("a", end, "Job {job_id}", job_id=event.job_id)
        random.Random(1).shuffle(world.events)
        stories.add(told(Story.of(world.events)))
    assert len(stories) == 1


def test_equal_branches_keep_their_order_from_one_block_to_the_next() -> None:
    """Either worker may come first, but whoever did comes first again."""
    stories = set()
    for seed in range(20):
        world = World(seed)
        workers = [world.id(), world.id()]
        last = world.say("a", "begin", job_id="j")
        for action in ("load", "drive", "unload"):
            sides = [
                world.say("a", action, "By {worker_id}", worker_id=w, task_id=w, cause=cause(last))
                for w in workers
            ]
            last = world.say("a", f"{action}_done", job_id="j", cause=cause(*sides))
        random.Random(seed).shuffle(world.events)
        stories.add(told(Story.of(world.events)))
    assert len(stories) == 1
    (story,) = stories
    assert [line.split("By ")[1][:8] for line in story.splitlines() if "By " in line][:6] == [
        "worker#1",
        "worker#2",
    ] * 3


def test_a_cancellation_stands_before_what_it_led_to() -> None:
    """It joins the job from outside: alphabetical order would tell it first."""
    world = World()
    begin = world.say("z", "begin", job_id="j")
    asked = world.say("a", "cancel", job_id="j", task_id="cancel", cause=cause(begin))
    for step in ("one", "two", "three"):
        world.say("z", step, job_id="j")
    world.say("z", "stop", job_id="j", cause=cause(asked))
    world.say("a", "note", job_id="j", task_id="note", cause=cause(asked))
    told_actions = actions(Story.of(world.events))
    assert told_actions.index("cancel") == told_actions.index("stop") - 1


def test_a_run_of_one_point_does_not_turn_a_story_around() -> None:
    """How many tokens came before a cancellation differs from run to run."""
    orders = set()
    for tokens in (1, 2, 9):
        world = World()
        begin = world.say("o", "begin", job_id="j")
        for number in range(tokens):
            last = world.say("w", "token", "Token {n}", job_id="k", n=number, cause=cause(begin))
        asked = world.say("o", "cancel", job_id="j", task_id="c", cause=cause(begin))
        passed = world.say("o", "pass_on", job_id="j", task_id="c", cause=cause(asked))
        world.say("w", "stop", job_id="k", cause=cause(passed, last))
        world.say("o", "watch", job_id="j", task_id="w", cause=cause(passed))
        orders.add(tuple(actions(Story.of(world.events, without={"action": "token"}))))
    assert len(orders) == 1


def test_events_without_a_job_are_ordered_within_their_request_only() -> None:
    world = World()
    for span in ("s1", "s2"):
        world.say("a", f"in_{span}", correlation_id="c", span_id=span)
    (block,) = Story.of(world.events).items
    assert isinstance(block, Parallel)


def test_span_parenthood_orders_what_names_no_cause() -> None:
    events = [
        Event(action="child", actor="b", service="b", span_id="2", parent_span_id="1", human="c"),
        Event(action="parent", actor="a", service="a", span_id="1", human="p"),
    ]
    assert actions(Story.of(events)) == ["parent", "child"]


def test_foreign_events_of_one_emitter_keep_their_arrival_order() -> None:
    events = [Event(action=a, actor="x", service="x", human=a) for a in ("b", "a", "c")]
    assert actions(Story.of(events)) == ["b", "a", "c"]


def test_foreign_emitters_without_any_link_are_concurrent() -> None:
    events = [
        Event(action=a, actor=s, service=s, human=a)
        for a, s in (("1", "x"), ("2", "y"), ("3", "x"))
    ]
    (block,) = Story.of(events).items
    assert isinstance(block, Parallel)
    assert [[line.action for line in branch] for branch in block.branches] == [["1", "3"], ["2"]]


def test_what_is_left_out_still_orders_the_rest() -> None:
    world = World()
    one = world.say("b", "one", job_id="j")
    hop = world.say("a", "hop", job_id="k", cause=cause(one))
    world.say("a", "two", job_id="l", cause=cause(hop))
    story = Story.of(world.events, without={"action": "hop"})
    assert [type(item) for item in story.items] == [Line, Line]
    assert actions(story) == ["one", "two"]


def test_only_actions_and_conditions_choose_what_is_told() -> None:
    world = World()
    for action in ("one", "two", "three"):
        world.say("a", action, job_id="j")
    assert actions(Story.of(world.events, actions={"one", "three"})) == ["one", "three"]
    assert actions(Story.of(world.events, only=lambda e: "t" in e.action)) == ["two", "three"]
    assert actions(Story.of(world.events, only={"action": "two"})) == ["two"]


def test_an_event_seen_on_two_channels_is_one_line_with_both() -> None:
    recorder = Recorder()
    (event,) = [World().say("a", "go")]
    for channel in ("sse", "stdout"):
        recorder.add_event(event, channel=channel)  # type: ignore[arg-type]
    (line,) = Story.of(recorder).lines
    assert line.channels == ("stdout", "sse")


def test_deep_nests_end_in_a_flat_order() -> None:
    """A branch at every step would nest without end."""
    world = World()
    for number in range(40):
        step = world.say("a", f"step{number:02}", job_id="j")
        world.say("a", f"leaf{number:02}", job_id="j", task_id=f"t{number}", cause=cause(step))
    story = Story.of(world.events)
    assert len(story.lines) == 80
    assert _depth(story.items) == 6


def _depth(items: object) -> int:
    depth = 0
    for item in items if isinstance(items, tuple) else ():
        if isinstance(item, Loop):
            depth = max(depth, _depth(item.items))
        elif isinstance(item, Parallel):
            depth = max(depth, 1 + max(map(_depth, item.branches)))
    return depth


def test_an_empty_story_is_a_story() -> None:
    story = Story.of([])
    assert (len(story), story.items, str(story)) == (0, (), "")
