"""What cannot be ordered is reported, with the names of the story, and told all the same."""

from __future__ import annotations

import msgspec

from pytest_narration.recorder import Recorder
from pytest_narration.story import Story
from tests.unit.story.making import World, cause, renamed


def test_a_cause_that_nobody_delivered_is_reported() -> None:
    world = World()
    lost = world.say("a", "lost", job_id="j")
    world.say("b", "found", "Found {worker_id}", job_id="k", worker_id="w-1", cause=cause(lost))
    (problem,) = Story.of(world.events[1:]).problems
    assert problem.kind == "missing cause"
    assert problem.text == "b: b `found` “Found worker#1” names a cause that nobody delivered"
    assert problem.events == (world.events[1].event_id, lost.event_id)


def test_a_cause_before_the_view_began_is_not_missing() -> None:
    recorder, world = Recorder(), World()
    before = world.say("a", "before", correlation_id="other")
    recorder.add_event(before)
    mark = recorder.mark()
    recorder.add_event(world.say("b", "after", correlation_id="c", cause=cause(before)))
    assert Story.of(recorder.since(mark).for_correlation("c")).problems == ()


def test_a_cause_that_the_test_itself_sent_is_not_missing() -> None:
    recorder, world = Recorder(), World()
    sent = world.id()
    recorder.add_exchange(
        source="client", method="POST", url="/", status=202, response_headers={},
        request_headers={"tracestate": f"other=1,narration={sent};p:00f067aa0ba902b7"},
    )  # fmt: skip
    recorder.add_event(world.say("a", "go", cause=(sent,)))
    assert Story.of(recorder).problems == ()


def test_an_event_that_names_a_later_one_as_its_cause_shows_both() -> None:
    world = World()
    first = world.say("a", "first", job_id="j")
    world.say("a", "middle", job_id="j")
    last = world.say("a", "last", job_id="j")
    world.events[0] = msgspec.structs.replace(first, cause=cause(last))
    story = Story.of(world.events)
    (problem,) = story.problems
    assert problem.text == (
        "a: a `first` “Did first” names as its cause what came after it: a: a `last` “Did last”"
    )
    assert [line.action for line in story.lines] == ["first", "middle", "last"]


def test_one_wrong_cause_does_not_tear_the_rest_apart() -> None:
    """Only the link that leads back is given up; links between services stay."""
    world = World()
    ask = world.say("a", "ask", job_id="j")
    world.say("b", "take", job_id="k", cause=cause(ask))
    give = world.say("b", "give", job_id="k")
    end = world.say("a", "end", job_id="j", cause=cause(give))
    world.events[0] = msgspec.structs.replace(ask, cause=cause(end))
    story = Story.of(world.events)
    assert [line.action for line in story.lines] == ["ask", "take", "give", "end"]
    assert len(story.problems) == 1


def test_an_event_that_names_itself_is_reported() -> None:
    world = World()
    event = world.say("a", "go")
    world.events[0] = msgspec.structs.replace(event, cause=cause(event))
    (problem,) = Story.of(world.events).problems
    assert "names itself as its cause" in problem.text


def test_problems_that_read_the_same_are_counted_and_equal_across_runs() -> None:
    world = World()
    world.say("a", "go", cause=(world.id(), world.id(), world.id()))
    one, two = Story.of(world.events), Story.of(renamed(world.events, 7))
    (problem,) = one.problems
    assert problem.text.endswith("nobody delivered ×3")
    assert one == two
