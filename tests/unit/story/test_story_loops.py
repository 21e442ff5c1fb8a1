"""Repeats are said once, and nothing that tells stories apart is lost by it."""

from __future__ import annotations

from pytest_narration.story import Line, Loop, Parallel, Story
from tests.unit.story.making import World, cause


def chain(*steps: tuple[str, str, dict[str, object]]) -> Story:
    world = World()
    for action, template, fields in steps:
        world.say("a", action, template, job_id="j", **fields)
    return Story.of(world.events)


def test_a_run_of_one_point_is_one_line_with_its_count() -> None:
    (line,) = chain(*[("tick", "Tick", {})] * 5).items
    assert isinstance(line, Line)
    assert (line.action, line.times) == ("tick", 5)


def test_numbers_that_go_up_evenly_show_the_first_and_the_last() -> None:
    (line,) = chain(*[("token", "{n} tokens", {"n": n}) for n in (10, 20, 30)]).items
    assert isinstance(line, Line)
    assert (line.said, line.times) == ("10…30 tokens", 3)


def test_numbers_without_a_pattern_are_named() -> None:
    (line,) = chain(*[("token", "{n} tokens", {"n": n}) for n in (10, 7, 30)]).items
    assert isinstance(line, Line)
    assert line.said == "{n} tokens"


def test_words_that_differ_keep_their_lines() -> None:
    items = chain(*[("load", "Loading {what}", {"what": what}) for what in ("x", "y")]).items
    assert [line.said for line in items if isinstance(line, Line)] == ["Loading x", "Loading y"]


def test_a_repeated_group_is_a_loop() -> None:
    steps = [("try", "Trying {n}", {"n": n}) for n in range(3)]
    items = chain(
        ("start", "Start", {}),
        *(step for try_ in steps for step in (try_, ("fail", "Failed", {}))),
        ("end", "End", {}),
    ).items
    loop = items[1]
    assert isinstance(loop, Loop)
    assert (loop.times, len(items)) == (3, 3)
    assert [line.said for line in loop.items if isinstance(line, Line)] == ["Trying 0…2", "Failed"]


def test_loops_in_loops() -> None:
    inner = [("ask", "Ask", {}), ("wait", "Wait", {}), ("wait", "Wait", {})]
    (loop,) = chain(*(inner * 4)).items
    assert isinstance(loop, Loop)
    assert loop.times == 4
    assert [(line.action, line.times) for line in loop.items if isinstance(line, Line)] == [
        ("ask", 1),
        ("wait", 2),
    ]


def test_groups_of_more_than_eight_lines_are_not_sought() -> None:
    group = [(f"step{n}", "x", {}) for n in range(9)]
    assert len(chain(*group, *group).items) == 18


def test_a_loop_over_fresh_ids_counts_them_and_an_uneven_one_is_told_in_full() -> None:
    def story(order: list[int]) -> Story:
        world = World()
        workers = [world.id() for _ in range(4)]
        for number in order:
            world.say("a", "use", "Use {worker_id}", job_id="j", worker_id=workers[number])
        return Story.of(world.events)

    (line,) = story([0, 1, 2]).items
    assert isinstance(line, Line)
    assert (line.said, line.times) == ("Use worker#1…#3", 3)
    assert [x.said for x in story([0, 1, 1, 0]).lines] == [
        "Use worker#1…#2",
        "Use worker#2",
        "Use worker#1",
    ]


def test_equal_concurrent_blocks_in_a_row_collapse() -> None:
    world = World()
    last = world.say("a", "begin", job_id="j")
    for _ in range(3):
        sides = [
            world.say("a", side, job_id="j", task_id=world.id(), cause=cause(last))
            for side in ("left", "right")
        ]
        last = world.say("a", "join", job_id="j", cause=cause(*sides))
    _, loop = Story.of(world.events).items
    assert isinstance(loop, Loop)
    assert loop.times == 3
    assert [type(item) for item in loop.items] == [Parallel, Line]


def test_repeats_that_are_not_counted_look_alike() -> None:
    def story(count: int) -> Story:
        world = World()
        for number in range(count):
            world.say("a", "token", "{n} tokens", job_id="j", n=number * 10)
        return Story.of(world.events, counted=False)

    assert story(3) == story(8)
    (line,) = story(3).lines
    assert (line.said, line.times) == ("{n} tokens", 0)
    assert story(1) != story(3)
