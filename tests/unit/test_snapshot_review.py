"""`narration review` and `narration diff`, run as commands on a folder of stories."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_narration import cli
from pytest_narration.review_diff import Change, summary
from pytest_narration.snapshot import Manner, document
from pytest_narration.snapshot.pending import FOLDER, pending, settle, store
from pytest_narration.story import Story
from tests.unit.story.making import World

Answer = Callable[[str], None]


def text(*steps: str, title: str = "Checkout") -> str:
    world = World()
    for step in steps:
        world.say("shop", step, job_id="j")
    return document(Story.of(world.events), Manner(title=title))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one approved story and two that wait."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "snapshots" / "test_shop"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text(text("begin", "pay", "end"))
    store(tmp_path, folder / "a.md", text("begin", "end"))
    store(tmp_path, folder / "b.md", text("look", title="Looking"))
    return tmp_path


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Type lines."""
    return lambda lines: monkeypatch.setattr("sys.stdin", io.StringIO(lines))


def waiting(root: Path) -> list[str]:
    return [story.approved.name for story in pending(root)]


def test_review_says_in_words_what_changed_and_accepts(
    project: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("a\na\n")
    assert cli.main(["review"]) == 0
    out = capsys.readouterr().out
    assert "[1/2] Checkout: snapshots/test_shop/a.md" in out
    assert "shop: `pay` is missing between `begin` and `end`" in out
    assert "[2/2] Looking: snapshots/test_shop/b.md (nobody approved it yet)" in out
    assert (project / "snapshots/test_shop/a.md").read_text() == text("begin", "end")
    assert (project / "snapshots/test_shop/b.md").read_text() == text("look", title="Looking")
    assert waiting(project) == []
    assert [p.name for p in (project / FOLDER).iterdir()] == [".gitignore"]


def test_review_rejects_and_skips(project: Path, answer: Answer) -> None:
    answer("r\ns\n")
    assert cli.main(["review"]) == 1
    assert "pay" in (project / "snapshots/test_shop/a.md").read_text()
    assert waiting(project) == ["b.md"]


def test_review_explains_and_shows_before_it_decides(
    project: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("?\nd\nq\n")
    assert cli.main(["review"]) == 1
    out = capsys.readouterr().out
    assert "accept: it becomes the approved story" in out
    assert "sequenceDiagram" in out
    assert out.endswith("2 of 2 still wait for review.\n")
    assert waiting(project) == ["a.md", "b.md"]


def test_review_without_anybody_there_decides_nothing(project: Path, answer: Answer) -> None:
    answer("")
    assert cli.main(["review"]) == 1
    assert waiting(project) == ["a.md", "b.md"]


def test_review_that_is_interrupted_decides_nothing_and_shows_no_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def readline(self) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert cli.main(["review"]) == 1
    assert capsys.readouterr().out.endswith("2 of 2 still wait for review.\n")
    assert waiting(project) == ["a.md", "b.md"]


def test_review_takes_nothing_but_its_words_for_an_answer(project: Path, answer: Answer) -> None:
    answer("abort\nremove\nsure\nyes\n\nskip\nACCEPT\n")
    assert cli.main(["review"]) == 1
    assert waiting(project) == ["a.md"]
    assert "pay" in (project / "snapshots/test_shop/a.md").read_text()


def test_review_lists_accepts_and_rejects_without_asking(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["review", "--list"]) == 1
    assert len(waiting(project)) == 2
    monkeypatch.chdir(project / "snapshots")
    assert cli.main(["review", "--reject-all"]) == 0
    assert waiting(project) == []
    store(project, project / "snapshots/c.md", "x")
    assert cli.main(["review", "--root", str(project), "--accept-all"]) == 0
    assert (project / "snapshots/c.md").read_text() == "x"
    assert cli.main(["review"]) == 0


def test_what_waits_is_forgotten_when_the_story_is_as_approved(project: Path) -> None:
    settle(project, project / "snapshots/test_shop/a.md")
    assert waiting(project) == ["b.md"]
    assert (project / FOLDER / ".gitignore").read_text().endswith("*\n")


def test_what_is_approved_outside_of_the_project_is_not_kept(project: Path) -> None:
    assert store(project / "snapshots", project / "elsewhere.md", "x") is None


# narration diff


def git(*arguments: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three commits: two stories; one changed, one gone, one new; nothing about stories."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "snapshots" / "test_shop"
    folder.mkdir(parents=True)
    git("init", "-q", "-b", "main")
    (folder / "a.md").write_text(text("begin", "pay", "end"))
    (folder / "b.md").write_text(text("look", title="Looking"))
    (folder / "notes.md").write_text("no story")
    git("add", ".")
    git("commit", "-qm", "one")
    (folder / "a.md").write_text(text("begin", "end"))
    (folder / "b.md").unlink()
    (folder / "c.md").write_text(text("buy", title="Buy @all #1"))
    (folder / "notes.md").write_text("still no story")
    git("add", ".")
    git("commit", "-qm", "two")
    return tmp_path


def test_diff_summarises_changed_new_and_gone_stories(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diff", "HEAD~1..HEAD"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Stories: 1 changed, 1 new, 1 gone\n")
    assert "## Checkout: changed\n\n`snapshots/test_shop/a.md`\n\n" in out
    assert "- shop: `pay` is missing between `begin` and `end`" in out
    assert out.count("```mermaid\n") == 4
    assert "<tr><th>approved</th><th>proposed</th></tr>" in out
    assert "## Buy &#64;all &#35;1: new" in out
    assert "## Looking: gone" in out
    assert "notes.md" not in out


def test_diff_ends_at_the_files_as_they_are(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "snapshots/d.md").write_text(text("wait", title="Waiting"))
    assert cli.main(["diff", "HEAD"]) == 0
    assert capsys.readouterr().out.startswith("# Stories: 1 new\n\n## Waiting: new")


def test_diff_starts_where_the_branches_parted(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("checkout", "-qb", "side", "HEAD~1")
    (repository / "snapshots/e.md").write_text(text("side", title="Aside"))
    git("add", ".")
    git("commit", "-qm", "side")
    assert cli.main(["diff", "main...side"]) == 0
    assert capsys.readouterr().out.startswith("# Stories: 1 new\n")


def test_diff_writes_a_file_and_says_that_nothing_changed(repository: Path, tmp_path: Path) -> None:
    output = tmp_path / "summary.md"
    assert cli.main(["diff", "HEAD..HEAD", "--output", str(output)]) == 0
    assert output.read_text() == "No story changed.\n"


def test_diff_of_an_unknown_commit_is_an_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diff", "nowhere..HEAD"]) == 2
    assert "narration diff: git diff" in capsys.readouterr().err


def test_a_summary_that_does_not_fit_names_the_rest() -> None:
    found = [Change(f"s/{n}.md", None, text("go", title=f"Story {n}")) for n in range(150)]
    written = summary(found, most=2_000)
    assert len(written) < 8_000
    assert "## Story 0: new" in written
    assert "more that do not fit here" in written
    assert "- … and " in written
