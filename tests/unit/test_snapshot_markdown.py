"""Whatever was said stands in a document as it was said, as GitHub's own parser reads it."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from cmarkgfm import github_flavored_markdown_to_html
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.snapshot import Manner, differences, document, read
from pytest_narration.snapshot.mermaid import mermaid
from pytest_narration.snapshot.text import tidy
from pytest_narration.story import Lane, Line, Loop, Parallel, Story


class Table(HTMLParser):
    """The texts of a document's cells, and which elements stand in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: set[str] = set()
        self._is_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True
        elif self._is_cell:
            self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        self._is_cell = self._is_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._is_cell:
            self.rows[-1][-1] += data


def shown(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


markup = st.lists(
    st.sampled_from(
        [*"|`*_~<>[]()!&#;:\\$@^= aB1.-{}'\"", "](", "![", "&amp;", "&#35;", "__", "~~"]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(markup, markup)
@example("![a](https://example.org/x.png)", "_x_ and __init__ and job_id")
@example("&amp; &lt; &#60; ~~gone~~", "<b>bold</b> <!-- hidden --> <https://example.org>")
@example("a\\|b", "`code`\\")
def test_a_table_shows_what_was_said_and_nothing_else(human: str, actor: str) -> None:
    event = Event(action="a|b", actor=actor, service=f"s {human}", human=human)
    story = Story.of([event])
    (line,) = story.lines
    text = document(story, Manner(title="T"))
    table = Table(github_flavored_markdown_to_html(text))
    _, (lane, action, said, channel, job) = table.rows
    assert shown(lane) == tidy(line.lane)
    assert shown(action) == f"{tidy(actor)} a|b".strip()
    assert shown(said) == tidy(line.said)
    assert (channel, job) == ("stdout", "")
    assert table.elements <= {"code", "a"}
    (row,) = read(text).rows
    assert (row.lane, row.actor, row.action) == (tidy(line.lane), tidy(actor), "a|b")
    assert row.said == tidy(line.said)


@pytest.mark.parametrize("action", ["", " ", "a\\|b", "`", "x`y", "| |"])
def test_an_action_of_any_characters_is_one_row(action: str) -> None:
    text = document(Story.of([Event(action=action, actor="x", human="h", service="s")]))
    (row,) = read(text).rows
    assert row.said == "h"
    _, cells = Table(github_flavored_markdown_to_html(text)).rows
    assert shown(cells[1]) == f"x {row.action}"


def test_words_inside_of_a_line_stand_unescaped_for_those_who_read_the_diff() -> None:
    said = "Took {decode_time_ms} of job_id [a, b] & more (c) #1"
    text = document(Story.of([Event(action="a", actor="x", human=said, service="s")]))
    assert f"| {said} |" in text


def test_a_line_of_a_megabyte_is_cut_with_a_count_and_still_tells_changes_apart() -> None:
    def text(end: str) -> str:
        event = Event(action="dump", actor="x", human="12 ms " * 170_000 + end, service="s")
        return document(Story.of([event]))

    one, other = text("end"), text("stop")
    assert len(one) < 3_000
    assert re.search(r"… \d{7} more characters, digest \w{12} \|", one)
    (words,) = differences(one, other)
    assert len(words) < 500
    (apart,) = set(re.findall(r"digest (\w+)", words)) - set(re.findall(r"digest (\w+)", one))
    assert apart in other


def test_a_participant_is_named_only_when_something_of_it_is_drawn() -> None:
    lanes = [Lane(f"s{number}", "s") for number in range(2_000)]
    items = [Line(lane=lane.label, actor="x", action="go", said="Hi") for lane in lanes]
    drawn = mermaid(items, lanes, most=3).split("\n")
    assert drawn[1:4] == [f"    participant L{n} as s{n - 1}" for n in (1, 2, 3)]
    assert drawn[-1] == "    Note over L1,L3: … 1997 more lines are not drawn"
    assert len(drawn) == 8


def test_a_diagram_stays_below_the_length_that_mermaid_draws() -> None:
    """80 lines of nothing but escaped characters, each in six blocks."""
    line = Line(
        lane="a", actor="#" * 90, action="#" * 90, said="#" * 90, level="error",
        channels=("stdout", "sse"),
    )  # fmt: skip
    item: object = line
    for _ in range(6):
        item = Loop(2, (Parallel(((item,), (line,))),))  # type: ignore[arg-type]
    text = mermaid([item] * 40, [Lane("a", "a")], most=80)  # type: ignore[list-item]
    assert len(text) < 50_000
    assert re.search(r"Note over L1: … \d+ more lines are not drawn$", text)
    many = [Lane("#" * 90 + str(number), "s") for number in range(200)]
    each = [Line(lane=lane.label, actor="x", action="go", said="#" * 90) for lane in many]
    assert len(mermaid(each, many)) < 50_000
    opened = len(re.findall(r"^ *(?:loop|par) ", text, re.MULTILINE))
    assert len(re.findall(r"^ *end$", text, re.MULTILINE)) == opened


def test_a_diagram_keeps_the_case_of_a_word_that_mermaid_takes_for_its_own() -> None:
    line = Line(lane="a", actor="x", action="go", said="END the End end")
    assert mermaid([line], [Lane("a", "a")]).endswith(": #69;ND the #69;nd #101;nd")


def test_a_line_of_blanks_is_drawn_as_its_point() -> None:
    line = Line(lane="a", actor="x", action="go", said=" \n")
    assert mermaid([line], [Lane("a", "a")]).endswith(": x go")


def test_text_of_many_volatile_parts_is_told_in_linear_time() -> None:
    """Joined piece by piece, this takes longer than a test may."""
    event = Event(action="go", actor="a", human="12 ms " * 100_000)
    began = time.process_time()
    (line,) = Story.of([event]).lines
    assert time.process_time() - began < 5
    assert line.said.startswith("{duration} {duration} ")
