"""`narration diff` on what branches do to stories: rename, delete, add, in Markdown and text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_narration import cli
from pytest_narration.review_diff import Change, summary
from pytest_narration.snapshot import Manner, differences, document, read, short_diff
from pytest_narration.story import Story
from tests.unit.story.making import World

STEPS = ("begin", "look", "pay", "leave", "end")


def text(*steps: str, title: str = "Checkout", **manner: object) -> str:
    world = World()
    for step in steps:
        world.say("shop", step, f"Did {step} | <b> `x`", job_id="j")
    return document(Story.of(world.events), Manner(title=title, **manner))  # type: ignore[arg-type]


def git(*arguments: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a repository's stories, one of them committed."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "snapshots" / "test_shop"
    folder.mkdir(parents=True)
    git("init", "-q", "-b", "main")
    (folder / "test_buy[1-é].md").write_text(text(*STEPS))
    commit()
    return folder


def commit() -> None:
    git("add", "-A")
    git("commit", "-qm", "some")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["diff", *arguments]) == 0
    return capsys.readouterr().out


def test_the_story_of_a_parametrised_test_that_goes_is_gone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets are a pattern to git in most places."""
    (folder / "test_buy[1-é].md").unlink()
    commit()
    assert said(capsys, "HEAD~..HEAD").startswith("# Stories: 1 gone\n")
    assert said(capsys, "HEAD..HEAD~").startswith("# Stories: 1 new\n")


def test_the_story_of_a_renamed_test_is_one_story(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = folder.parent / "test_cart" / "test_buy.md"
    moved.parent.mkdir()
    (folder / "test_buy[1-é].md").rename(moved)
    commit()
    out = said(capsys, "HEAD~..HEAD")
    assert out.startswith("# Stories: 1 renamed\n\n## Checkout: renamed\n")
    assert "`snapshots/test_shop/test_buy[1-é].md` → `snapshots/test_cart/test_buy.md`" in out
    assert "- the story is the same\n" in out
    assert "mermaid" not in out
    moved.write_text(text("begin", "look", "leave", "end", title="Buying"))
    out = said(capsys, "HEAD~")
    assert "- shop: `pay` is missing between `look` and `leave`\n" in out
    moved.write_text(text("ask", "answer", title="Asking"))
    assert said(capsys, "HEAD~").startswith("# Stories: 1 new, 1 gone\n")


def test_a_story_in_plain_text_is_a_story_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_look.txt").write_text(text(*STEPS, form="text"))
    (folder / "notes.txt").write_text("# Notes\n")
    commit()
    out = said(capsys, "HEAD~..HEAD")
    assert out.startswith("# Stories: 1 new\n\n## Checkout: new\n\n`snapshots/test_shop/test_look")
    assert "shop  shop `pay`  Did pay | <b> `x`  stdout  job:shop#1" in out
    (folder / "test_look.txt").write_text(text("begin", "look", "leave", "end", form="text"))
    out = said(capsys, "HEAD")
    assert "- shop: `pay` is missing between `look` and `leave`\n" in out


@pytest.mark.parametrize("level", ["structure", "text", "full"])
def test_plain_text_is_read_back_row_by_row(level: str) -> None:
    world = World()
    for said in ("", "stdout", "Two  spaces | `x`"):
        world.say("shop", f"a{len(said)}", said, job_id="j", level="warn")
    world.say("till", "pay", "Paid", cause=(world.id(),))
    story = Story.of(world.events)
    reading = read(document(story, Manner(title="T", level=level, form="text", scenario="F: x")))  # type: ignore[arg-type]
    markdown = read(document(story, Manner(title="T", level=level, scenario="F: x")))  # type: ignore[arg-type]
    for row, other in zip(reading.rows, markdown.rows, strict=True):
        assert (row.point, row.said, row.channel, row.job, row.level, row.bars) == (
            (other.point, other.said, other.channel, other.job, other.level, other.bars)
        )
    assert (reading.title, reading.level, reading.scenario) == ("T", level, "F: x")
    assert (reading.jobs, reading.problems) == (markdown.jobs, markdown.problems)


def test_changes_of_plain_text_are_said_in_words() -> None:
    approved = text(*STEPS, form="text")
    received = text("look", "begin", "pay", "leave", form="text").replace("Did leave", "Left")
    assert differences(approved, received) == [
        "shop: `end` is missing at the end, after `leave`",
        "shop: `look` moved: it is at the beginning; approved was after `begin`",
        "shop: `leave` says “Left | <b> `x`”; approved was “Did leave | <b> `x`”",
    ]
    assert not any(line.startswith(("-#", "+#")) for line in short_diff(approved, received))


def test_no_text_of_a_story_mentions_anybody_in_a_comment() -> None:
    """A single backtick must not make the rest look like code."""
    old, new = text("begin", title="T ` @all"), text("begin", title="T ` @all")
    new = new.replace("Did begin", "Ask ` @all and `@team` about #1, see [x](y) ~~z~~")
    section = summary([Change("s.md", old, new)]).partition("<table>")[0]
    assert "- shop: `begin` says" in section
    section = re.sub(r"&#\d+;", "", section)
    assert not any(mark in section for mark in ("@all", "@team", "#1", "](", "~~"))


def test_a_story_that_differs_in_nothing_that_is_told_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "test_buy[1-é].md"
    path.write_text(path.read_text() + "\n")
    assert "- it is written in another way, and tells the same\n" in said(capsys, "HEAD")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "--output=x..HEAD"], "'--output=x' is no commit; expected BASE..HEAD"),
        (["HEAD..HEAD", "--folder", "storys"], "--folder storys: there is no such folder in"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["diff", *arguments]) == 2
    assert message in capsys.readouterr().err
