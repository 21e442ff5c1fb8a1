"""syrupy's flags and approved stories: what a run did not come to is never thrown away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ROOT

Run = Callable[..., pytest.RunResult]

TESTS = """\
import os

import pytest
from pytest_narration.emit import narrate, narration_context


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_say(name, narration, story_snapshot):
    if os.environ.get("BREAK") == name:
        raise ValueError("broken before it compares")
    with narration_context(correlation_id="c-1"):
        narrate("say", "Said {name}", actor="x", name=os.environ.get("SAY", name))
    assert narration.story("c-1") == story_snapshot
"""
_BROKEN = 'raise ValueError("broken before it compares")'
OTHER = """\
import os

import pytest
from pytest_narration.emit import narrate


@pytest.fixture
def ready():
    assert os.environ.get("BREAK") != "setup"


def test_say(ready, narration, story_snapshot):
    narrate("say", "Said it", actor="x", correlation_id="c-1")
    assert narration.story("c-1") == story_snapshot
"""
STORIES = [f"snapshots/test_it/test_say[{name}].md" for name in "abcd"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on a project whose services nobody named, with its stories approved."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("NARRATION_SERVICE", "BREAK", "SAY"):
        monkeypatch.delenv(name, raising=False)
    pytester.makefile(".toml", pyproject="[tool.pytest]\n")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_it.py").write_text(TESTS)

    def run(*arguments: str, main: tuple[str, ...] = ("-m", "pytest")) -> pytest.RunResult:
        plugins = ("pytest_narration.plugin", "syrupy", "xdist.plugin")
        load = [word for plugin in plugins for word in ("-p", plugin)]
        command = [sys.executable, *main, "-p", "no:cacheprovider", *load, *arguments]
        return pytester.run(*command, timeout=300)

    run("--snapshot-update").assert_outcomes(passed=4)
    assert stories(pytester.path) == STORIES
    return run


def stories(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.glob("snapshots/**/*.*"))


def test_a_story_does_not_change_with_what_starts_pytest(
    run: Run, pytester: pytest.Pytester
) -> None:
    """Without `configure()`, services are named after the program; xdist's workers are `-c`."""
    assert "| pytest | x `say` |" in (pytester.path / STORIES[0]).read_text()
    run("-n2").assert_outcomes(passed=4)
    main = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    run(main=("-c", main)).assert_outcomes(passed=4)
    (pytester.path / "ide_runner.py").write_text(main)
    run(main=("ide_runner.py",)).assert_outcomes(passed=4)


@pytest.mark.parametrize("flags", [(), ("-n2",), ("-x",)], ids=["serial", "xdist", "first failure"])
def test_what_a_failed_test_did_not_compare_is_not_unused(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    """Nor is what a run did not come to because it stopped: no update throws it away."""
    orphan = pytester.path / "snapshots/test_it/test_gone.md"
    orphan.write_text((pytester.path / STORIES[0]).read_text())
    monkeypatch.setenv("BREAK", "b")
    result = run(*flags)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*1 snapshot unused.*"])
    assert run("--snapshot-update", *flags).ret == 1
    assert stories(pytester.path) == STORIES


@pytest.mark.parametrize(
    "flags",
    [("-x",), ("-n1", "-x"), ("-n2", "-x"), ("--tx=2*popen", "--dist=load", "-x")],
    ids=" ".join,
)
def test_a_failure_beside_the_stories_leaves_those_that_no_test_came_to(
    run: Run, pytester: pytest.Pytester, flags: tuple[str, ...]
) -> None:
    """The process that fails may be one in which no story was ever compared."""
    many = [f"n{number:02}" for number in range(24)]
    test = pytester.path / "tests" / "test_it.py"
    test.write_text(TESTS.replace('["a", "b", "c", "d"]', repr(many)))
    run("--snapshot-update").assert_outcomes(passed=24)
    approved = stories(pytester.path)
    (pytester.path / "tests" / "test_a_failure.py").write_text("def test_it():\n    assert False\n")

    assert run("--snapshot-update", *flags).ret != 0

    assert len(approved) == 24
    assert stories(pytester.path) == approved


@pytest.mark.parametrize("flags", [(), ("-n2", "--dist=loadfile")], ids=["serial", "xdist"])
def test_the_story_of_a_test_whose_setup_failed_is_not_unused(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    (pytester.path / "tests" / "test_other.py").write_text(OTHER)
    run("--snapshot-update").assert_outcomes(passed=5)
    approved = stories(pytester.path)
    monkeypatch.setenv("BREAK", "setup")

    run("--snapshot-update", *flags).assert_outcomes(passed=4, errors=1)

    assert len(approved) == 5
    assert stories(pytester.path) == approved


def test_what_a_crashed_worker_compared_is_not_unused(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = pytester.path / "tests" / "test_it.py"
    test.write_text(TESTS.replace(_BROKEN, "os._exit(3)"))
    monkeypatch.setenv("BREAK", "b")
    result = run("--snapshot-update", "-n2")
    result.stdout.fnmatch_lines(["*crashed while running*"])
    assert stories(pytester.path) == STORIES


@pytest.mark.parametrize("code", ["", ", returncode=0", ", returncode=7"])
def test_what_a_run_that_a_test_ended_did_not_come_to_stays(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """`pytest.exit()` takes any exit code, that of a success included."""
    test = pytester.path / "tests" / "test_it.py"
    test.write_text(TESTS.replace(_BROKEN, f"pytest.exit('enough'{code})"))
    monkeypatch.setenv("BREAK", "b")
    result = run("--snapshot-update")
    assert "enough" in result.stdout.str() + result.stderr.str()
    assert stories(pytester.path) == STORIES


def test_what_an_interrupted_run_did_not_come_to_stays(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = pytester.path / "tests" / "test_it.py"
    test.write_text(TESTS.replace(_BROKEN, "raise KeyboardInterrupt"))
    monkeypatch.setenv("BREAK", "b")
    result = run("--snapshot-update")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert stories(pytester.path) == STORIES


def test_only_stories_can_be_unused(run: Run, pytester: pytest.Pytester) -> None:
    """A folder of this name may hold what other tools and people wrote."""
    notes = pytester.path / "snapshots/test_it/README.md"
    notes.write_text("# How we review these\n")
    result = run()
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    run("--snapshot-update")
    assert notes.is_file()


@pytest.mark.parametrize("flags", [(), ("-n2",)], ids=["serial", "xdist"])
def test_new_stories_only(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    first, *_ = (pytester.path / story for story in STORIES)
    first.unlink()
    monkeypatch.setenv("SAY", "else")
    run("--snapshot-update-new-only", *flags).assert_outcomes(passed=1, failed=3)
    assert "Said else" in first.read_text()
    assert "Said b" in (pytester.path / STORIES[1]).read_text()


def test_a_story_is_compared_as_it_is_told(run: Run, pytester: pytest.Pytester) -> None:
    """What somebody left out of a story, or had said in another voice, is not put back."""
    (pytester.path / "tests" / "test_told.py").write_text(
        "from pytest_narration.emit import narrate\n"
        "from pytest_narration.story import Story\n"
        "def test_told(narration, story_snapshot):\n"
        "    narrate('ask', 'Asked', actor='x', cute='Purr')\n"
        "    narrate('tick', 'Ticked', actor='x')\n"
        "    assert Story.of(narration, actions={'ask'}, mode='cute') == story_snapshot\n"
        "    assert Story.of(narration) == story_snapshot(name='all', mode='cute')\n"
    )
    run("--snapshot-update", "tests/test_told.py").assert_outcomes(passed=1)
    folder = pytester.path / "snapshots" / "test_told"
    assert "Purr" in (folder / "test_told.md").read_text()
    assert "tick" not in (folder / "test_told.md").read_text()
    assert "tick" in (folder / "test_told[all].md").read_text()


def test_git_commits_nothing_of_what_waits_for_review(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAY", "else")
    run().assert_outcomes(failed=4)
    subprocess.run(["git", "init", "-q"], check=True)
    listed = subprocess.run(
        ["git", "status", "--short", "-uall"], check=True, capture_output=True, text=True
    )
    assert ".narration-pending" not in listed.stdout
    assert len(list((pytester.path / ".narration-pending").rglob("*.md"))) == 4


def test_the_type_of_the_fixture_is_there_for_annotations() -> None:
    from pytest_narration import fixtures
    from pytest_narration.snapshot.approval import StorySnapshot

    assert fixtures.StorySnapshot is StorySnapshot
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        fixtures.Nothing  # noqa: B018


def test_annotating_other_fixtures_needs_no_syrupy() -> None:
    script = (
        "import sys; sys.modules['syrupy'] = None\n"
        "from pytest_narration.fixtures import Capture, Narration\n"
        "from pytest_narration.fixtures import StorySnapshot"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert 'pip install "pytest-narration[snapshots]"' in done.stderr
    assert done.stderr.count("line 3, in <module>") == 1
