"""The approved document: valid, readable, complete up to a count, and readable back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.snapshot import LEVELS, Manner, document, is_story, mermaid, read
from pytest_narration.snapshot.text import cell, code, uncell
from pytest_narration.story import Item, Lane, Line, Loop, Parallel, Story
from tests.unit.story.making import World, cause


def job(world: World, *, error: bool = False) -> Story:
    ask = world.say("orchestrator", "ask", "Job {job_id}", job_id=world.id(), correlation_id="c")
    for step in ("tokenize", "generate", "generate"):
        world.say(
            "worker", step, job_id="w", parent_job_id=ask.job_id, correlation_id="c",
            cause=cause(ask) if step == "tokenize" else (),
            level="error" if error else "info",
        )  # fmt: skip
    return Story.of(world.events)


def test_a_full_document_has_a_diagram_a_table_and_the_jobs() -> None:
    text = document(job(World()), Manner(title="A job"))
    assert text == (
        "<!-- narration story 1, full -->\n\n# A job\n\n"
        "```mermaid\nsequenceDiagram\n"
        "    participant L1 as orchestrator\n    participant L2 as worker\n"
        "    L1->>L1: Job job:orchestrator#35;1\n"
        "    L1->>L2: Did tokenize\n    L2->>L2: Did generate ×2\n```\n\n"
        "| lane | action | said | channel | job |\n| --- | --- | --- | --- | --- |\n"
        "| orchestrator | orchestrator `ask` | Job job:orchestrator#1 | stdout |"
        " job:orchestrator#1 |\n"
        "| worker | worker `tokenize` | Did tokenize | stdout | job:worker#1 |\n"
        "| worker | worker `generate` ×2 | Did generate | stdout | job:worker#1 |\n\n"
        "**Jobs**\n\n- job:orchestrator#1\n- job:worker#1 ← job:orchestrator#1\n"
    )


def test_a_level_shows_what_it_compares_and_nothing_else() -> None:
    by_level = {level: document(job(World(), error=True), Manner(level=level)) for level in LEVELS}
    assert ("Did tokenize" in by_level["structure"], "Did tokenize" in by_level["text"]) == (
        False,
        True,
    )
    assert ("(error)" in by_level["text"], "(error)" in by_level["full"]) == (False, True)
    assert ("**Jobs**" in by_level["text"], "**Jobs**" in by_level["full"]) == (False, True)


def test_the_text_form_has_one_line_for_each_row() -> None:
    text = document(job(World()), Manner(title="A job", form="text", level="text"))
    assert text.splitlines() == [
        "# narration story 1, text",
        "# A job",
        "orchestrator  orchestrator `ask`  Job job:orchestrator#1  stdout",
        "worker  worker `tokenize`  Did tokenize  stdout",
        "worker  worker `generate` ×2  Did generate  stdout",
    ]


def test_a_long_story_is_cut_with_a_count_and_still_tells_changes_apart() -> None:
    def text(last: str) -> str:
        world = World()
        for number in range(30):
            world.say("a", f"step{number}", job_id="j")
        world.say("a", last, job_id="j")
        return document(Story.of(world.events), Manner(most_rows=10, most_drawn=5))

    one, other = text("end"), text("stop")
    assert "| … 21 more lines, digest " in one
    assert "… 26 more lines are not drawn" in one
    assert one != other
    assert one.replace(_digest(one), "") == other.replace(_digest(other), "")


def _digest(text: str) -> str:
    found = re.search(r"digest (\w+)", text)
    assert found is not None
    return found[1]


def test_a_scenario_is_quoted_and_problems_are_listed() -> None:
    world = World()
    world.say("a", "go", cause=(world.id(),))
    text = document(Story.of(world.events), Manner(scenario="Feature: X"))
    assert "```gherkin\nFeature: X\n```" in text
    assert "**Problems**\n\n- a: a `go`" in text.replace("\\`", "`")


def test_correlations_are_shown_when_there_are_several() -> None:
    world = World()
    for number in "12":
        world.say("a", "go", job_id=f"j{number}", correlation_id=f"c{number}")
    text = document(Story.of(world.events))
    assert "- job:a#1 (correlation#1)" in text
    assert "- job:a#2 (correlation#2)" in text


nasty = st.lists(
    st.sampled_from(
        [*"abE|`\\#;:\n\r\t<>{}%$\"'*_-→🎉 ", "\u202e", "\x00", "end", "wrap:", "par "]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(nasty)
def test_a_cell_gives_its_text_back_and_stays_one_cell(text: str) -> None:
    escaped = cell(text)
    assert "\n" not in escaped
    assert uncell(escaped) == uncell(cell(uncell(escaped)))
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", escaped)


def _lines() -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        lane=st.sampled_from(["a", "b"]),
        actor=nasty,
        action=nasty,
        said=nasty,
        job=nasty,
        caller=st.sampled_from(["", "a", "b"]),
        level=st.sampled_from(["info", "error"]),
        channels=st.sampled_from([("stdout",), ("stdout", "sse"), ()]),
        times=st.integers(0, 3),
    )


def _items() -> st.SearchStrategy[tuple[Item, ...]]:
    def blocks(inner: st.SearchStrategy[Item]) -> st.SearchStrategy[Item]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Loop, st.integers(0, 3), several),
            st.builds(Parallel, st.lists(several, min_size=2, max_size=3).map(tuple)),
        )

    return st.lists(st.recursive(_lines(), blocks, max_leaves=8), max_size=4).map(tuple)


_STATEMENT = re.compile(
    r"\s*(?:"
    r"L[12](?:->>|--x)L[12]: [^;#\n]*(?:#(?:\d+);[^;#\n]*)*"
    r"|Note over L[12](?:,L2)?: [^;#\n]*(?:#(?:\d+);[^;#\n]*)*"
    r"|loop ×\S+|par concurrently|and|end"
    r")"
)


@settings(max_examples=200, deadline=None)
@given(_items())
def test_whatever_was_said_each_statement_of_a_diagram_is_one_of_ours(
    items: tuple[Item, ...],
) -> None:
    """No text can end a statement, open a comment or close a block; real mermaid agrees."""
    first, *lines = mermaid(items, [Lane("a", "s"), Lane("b", "s")]).split("\n")
    assert first == "sequenceDiagram"
    blocks = 0
    for line in lines:
        if line.startswith("    participant "):
            continue
        assert _STATEMENT.fullmatch(line), line
        text = line.partition(": ")[2]
        assert "end" not in text.lower().split(" ")
        assert not text.startswith(("wrap:", "nowrap:"))
        blocks += line.strip().startswith(("loop ", "par ")) - (line.strip() == "end")
    assert blocks == 0


def test_lines_on_the_stream_are_notes_and_errors_end_in_a_cross() -> None:
    lanes = [Lane("a", "a"), Lane("b", "b")]
    seen = Line(lane="b", actor="x", action="go", said="Hi", channels=("stdout", "sse"))
    failed = Line(lane="b", actor="x", action="error", said="No", level="error", caller="a")
    assert mermaid([seen, failed], lanes).split("\n")[3:] == [
        "    Note over L2: Hi",
        "    L1--xL2: No",
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=5))
def test_a_document_is_read_back_row_by_row(said: list[tuple[str, str]]) -> None:
    world = World()
    for number, (action, text) in enumerate(said):
        clean = re.sub(r"[^a-z]", "", action) or "x"
        world.say("lane|1", f"{clean}{number}", text.replace("{", "").replace("}", ""), job_id="j")
    story = Story.of(world.events)
    text = document(story, Manner(title="T | `x`"))
    reading = read(text)
    assert is_story(text)
    assert reading.title == "T | `x`"
    assert [(row.lane, row.action) for row in reading.rows] == [
        (line.lane, line.action) for line in story.lines
    ]


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("", "")]
)
def test_a_code_span_survives_backticks(text: str, shown: str) -> None:
    assert code(text) == shown
