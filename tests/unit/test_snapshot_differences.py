"""What changed between two stories, in words that a reviewer would use."""

from __future__ import annotations

from pytest_narration.snapshot import Manner, differences, document, short_diff
from pytest_narration.story import Story
from tests.unit.story.making import World, cause

STEPS = ("execute_request", "tokenize", "cache_reset", "token_generate", "complete")


def text(*steps: str, manner: Manner | None = None, **changed: dict[str, object]) -> str:
    world = World()
    for step in steps:
        fields: dict[str, object] = {"job_id": "w"} | changed.get(step, {})
        words = str(fields.pop("words", f"Did {step}"))
        world.say("worker", step, words, **fields)
    return document(Story.of(world.events), manner or Manner())


APPROVED = text(*STEPS)


def test_a_missing_line_is_named_with_its_neighbours() -> None:
    received = text(*(s for s in STEPS if s != "cache_reset"))
    assert differences(APPROVED, received) == [
        "worker: `cache_reset` is missing between `tokenize` and `token_generate`"
    ]


def test_missing_lines_at_the_ends() -> None:
    assert differences(APPROVED, text(*STEPS[1:-1])) == [
        "worker: `execute_request` is missing at the beginning, before `tokenize`",
        "worker: `complete` is missing at the end, after `token_generate`",
    ]


def test_an_added_line_is_new() -> None:
    received = text("execute_request", "warm_up", *STEPS[1:])
    assert differences(APPROVED, received) == [
        "worker: `warm_up` is new between `execute_request` and `tokenize`"
    ]


def test_a_moved_line_is_said_once() -> None:
    received = text("execute_request", "cache_reset", "tokenize", "token_generate", "complete")
    (words,) = differences(APPROVED, received)
    assert words in (
        "worker: `tokenize` moved: it is after `cache_reset`; approved was after `execute_request`",
        "worker: `cache_reset` moved: it is after `execute_request`; approved was after `tokenize`",
    )


def test_a_line_with_another_name_in_its_place_is_renamed() -> None:
    received = text(*STEPS[:2], "reset", *STEPS[3:], reset={"words": "Did cache_reset"})
    assert differences(APPROVED, received) == ["worker: `reset` is what was `cache_reset`"]
    received = APPROVED.replace("worker `tokenize`", "tokenizer `tokenize`")
    assert differences(APPROVED, received) == [
        "worker: `tokenize` is by tokenizer; approved was worker"
    ]
    received = APPROVED.replace("| worker | worker `tokenize`", "| pool | worker `tokenize`")
    assert differences(APPROVED, received) == [
        "pool: `tokenize` was approved as worker: `tokenize`"
    ]


def test_a_service_with_another_name_is_said_once() -> None:
    received = APPROVED.replace("| worker |", "| engine |").replace("job:worker#", "job:engine#")
    assert differences(APPROVED, received) == ["engine is what was worker"]
    assert differences(APPROVED, received.replace("Did tokenize", "Cut")) == [
        "engine is what was worker",
        "engine: `tokenize` says “Cut”; approved was “Did tokenize”",
    ]


def test_two_lines_that_changed_places_are_said_once() -> None:
    received = text(*STEPS[:3], "complete", "token_generate")
    assert len(differences(APPROVED, received)) == 1
    assert "moved" in differences(APPROVED, received)[0]


def test_changed_words_counts_levels_channels_and_jobs() -> None:
    received = text(
        *STEPS[:4], *STEPS[3:],
        tokenize={"words": "Cut the prompt"}, cache_reset={"level": "warn"},
    )  # fmt: skip
    assert differences(APPROVED, received) == [
        "worker: `tokenize` says “Cut the prompt”; approved was “Did tokenize”",
        "worker: `cache_reset` is at level warn; approved was info",
        "worker: `token_generate` came ×2; approved was ×1",
    ]
    assert differences(APPROVED, APPROVED.replace("| stdout |", "| stdout + sse |", 1)) == [
        "worker: `execute_request` came on stdout + sse; approved was stdout"
    ]


def test_a_swapped_job_is_named() -> None:
    received = APPROVED.replace("Did tokenize | stdout | job:worker#1", "Did tokenize | stdout | x")
    assert differences(APPROVED, received) == [
        "worker: `tokenize` belongs to x; approved was job:worker#1"
    ]


def test_other_lanes_are_named_where_they_differ() -> None:
    def story(*, is_whole: bool) -> str:
        world = World()
        ask = world.say("a", "ask", job_id="j")
        if is_whole:
            ask = world.say("b", "take", job_id="k", cause=cause(ask))
        world.say("c", "give", job_id="l", cause=cause(ask))
        return document(Story.of(world.events), Manner(level="structure"))

    assert differences(story(is_whole=True), story(is_whole=False)) == [
        "b: `take` is missing between a's `ask` and c's `give`"
    ]


def test_what_became_concurrent_is_said() -> None:
    def story(*, is_ordered: bool) -> str:
        world = World()
        one = world.say("a", "one", job_id="j")
        world.say("b", "two", job_id="k", cause=cause(one) if is_ordered else ())
        return document(Story.of(world.events), Manner(level="text"))

    assert differences(story(is_ordered=True), story(is_ordered=False)) == [
        "what runs concurrently or repeats changed, and nothing else"
    ]


def test_many_differences_are_cut_with_a_count() -> None:
    received = text(*(f"new{n}" for n in range(30)))
    words = differences(APPROVED, received, most=5)
    assert len(words) == 6
    assert words[-1] == "… and 30 more differences"


def test_another_level_is_said_as_such() -> None:
    received = text(*STEPS, manner=Manner(level="text"))
    assert differences(APPROVED, received) == [
        "the level is text; approved was full: approve it again"
    ]


def test_a_changed_scenario_or_title_is_said() -> None:
    assert differences(
        text("a", manner=Manner(title="X")), text("a", manner=Manner(title="Y"))
    ) == ["the title is “Y”; approved was “X”"]
    assert differences(text("a"), text("a", manner=Manner(scenario="Given x"))) == [
        "the text of the scenario changed"
    ]


def test_the_short_diff_leaves_the_diagram_out_and_is_cut() -> None:
    received = text(*(f"new{n}" for n in range(90)))
    diff = short_diff(APPROVED, received)
    assert len(diff) == 41
    assert diff[-1].endswith("more lines of diff")
    assert not any("L1" in line for line in diff)


def test_equal_stories_have_no_differences() -> None:
    assert differences(APPROVED, APPROVED) == []
    assert short_diff(APPROVED, APPROVED) == []
