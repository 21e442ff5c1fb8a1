"""A story told again keeps how it was told; one that grows is the one told at once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import ConfigurationError
from pytest_narration.recorder import Recorder
from pytest_narration.story import Story
from tests.unit.story.making import World, cause
from tests.unit.story.test_story_order import told, worlds


def actions(story: Story) -> list[str]:
    return [line.action for line in story.lines]


@pytest.fixture
def world() -> World:
    world = World()
    for number, action in enumerate(("one", "two", "three", "four")):
        world.say("a", action, "{n} of {seat}", job_id="j", n=number, seat="4B", cute="Whee")
    return world


def test_a_story_told_again_keeps_what_it_left_out_and_how_it_was_said(world: World) -> None:
    story = Story.of(
        world.events, actions={"one", "two", "three"}, redact=["seat"], mode="cute", counted=False
    )
    assert story.retold() == story
    assert actions(story.retold(without={"action": "two"})) == ["one", "three"]
    assert actions(story.retold(only=lambda event: "t" in event.action)) == ["two", "three"]
    assert story.retold(mode="human").lines[0].said == "0 of {seat}"
    assert story.lines[0].said == "Whee"


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 10**6))
def test_a_story_that_grows_in_any_pieces_is_the_one_told_at_once(world: World, seed: int) -> None:
    chance = random.Random(seed)
    arrived = list(world.events)
    chance.shuffle(arrived)
    story = Story.of([])
    while arrived:
        size = chance.randrange(1, len(arrived) + 1)
        before = told(story)
        longer = story.extended(arrived[:size])
        assert told(story) == before, "the shorter one stays as it is"
        story, arrived = longer, arrived[size:]
    assert told(story) == told(Story.of(world.events))


def test_a_story_grows_in_its_own_manner_and_knows_where_causes_are() -> None:
    recorder, world = Recorder(), World()
    before = world.say("a", "before", correlation_id="other")
    recorder.add_event(before)
    story = Story.of([world.say("b", "go", correlation_id="c")], without={"action": "not_told"})
    recorder.add_event(world.say("b", "after", correlation_id="c", cause=cause(before)))
    recorder.add_event(world.say("b", "not_told", correlation_id="c"))
    longer = story.extended(recorder.for_correlation("c"))
    assert actions(longer) == ["go", "after"]
    assert longer.problems == ()


def test_what_a_story_cannot_be_told_as_is_refused_with_the_choices(world: World) -> None:
    with pytest.raises(ConfigurationError, match="choose one of human, cute, story"):
        Story.of(world.events, mode="template")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"expected a set, such as \{'one'\}"):
        Story.of(world.events, actions="one")
