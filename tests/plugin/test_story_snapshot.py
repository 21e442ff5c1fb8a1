"""`story_snapshot`: approving, comparing, and failing in words, under syrupy's own flags."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import ROOT

Run = Callable[..., pytest.RunResult]

TESTS = """
import os
from shop import narrate, narration_context


def buy(*steps, items=2):
    with narration_context(correlation_id="c-1", job_id="j-1"):
        for step in steps:
            narrate(step, "Did {what} of job {job_id}", actor="cart", what=step, items=items)


def test_buy(narration, story_snapshot):
    buy(*os.environ.get("STEPS", "look pay leave").split())
    assert narration.story("c-1") == story_snapshot


def test_twice(narration, story_snapshot):
    buy("look", "pay", "pay")
    story = narration.story("c-1")
    assert story == story_snapshot
    assert story == story_snapshot(name="short", actions={"pay"}, level="structure", form="text")
"""
APPROVED = "snapshots/test_shop/test_buy.md"


@pytest.fixture
def stories(project: pytest.Pytester) -> Path:
    """A project whose tests compare stories."""
    folder = project.path / "tests"
    folder.mkdir()
    (folder / "test_shop.py").write_text(TESTS)
    return project.path


@pytest.fixture
def compare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with syrupy in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("STEPS", raising=False)

    def compare(*arguments: str, plugins: tuple[str, ...] = ("syrupy",)) -> pytest.RunResult:
        load = [word for plugin in ("pytest_narration.plugin", *plugins) for word in ("-p", plugin)]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *load, *arguments]
        return pytester.run(*command, timeout=60)

    return compare


@pytest.fixture
def approved(stories: Path, compare: Run) -> Path:
    """The same project with its stories approved."""
    compare("--snapshot-update").assert_outcomes(passed=2)
    return stories


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_story_that_nobody_approved_fails_and_waits_for_review(
    stories: Path, compare: Run
) -> None:
    result = compare("-k", "test_buy")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            f"*nobody approved this story yet: there is no {APPROVED}",
            "*approve it with `narration review`, or run pytest with --snapshot-update",
            "*| cart | cart `look` | Did look of job job:cart#1 |*",
        ]
    )
    assert files(stories / ".narration-pending") == [".gitignore", APPROVED]


def test_update_writes_one_file_for_each_story(approved: Path, compare: Run) -> None:
    assert files(approved / "snapshots") == [
        "test_shop/test_buy.md",
        "test_shop/test_twice.md",
        "test_shop/test_twice[short].txt",
    ]
    assert (approved / APPROVED).read_text().startswith("<!-- narration story 1, full -->\n\n# Buy")
    assert (approved / "snapshots/test_shop/test_twice[short].txt").read_text() == (
        "# narration story 1, structure\n# Twice: short\ncart  cart `pay` ×2  stdout\n"
    )
    compare().assert_outcomes(passed=2)
    assert not (approved / ".narration-pending").exists()


def test_a_changed_story_fails_the_test_in_words(
    approved: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", "look leave")
    result = compare()
    result.assert_outcomes(passed=1, failed=1, errors=0)
    result.stdout.fnmatch_lines(
        [
            f"*the story is not as approved in {APPROVED}",
            "*if that is right: `narration review`, or run pytest with --snapshot-update",
            "*  cart: `pay` is missing between `look` and `leave`",
            "*-| cart | cart `pay` |*",
            "FAILED tests/test_shop.py::test_buy*",
        ]
    )
    assert "L1->>L1" not in result.stdout.str(), "the diagram is no part of the failure"
    monkeypatch.delenv("STEPS")
    compare().assert_outcomes(passed=2)
    assert files(approved / ".narration-pending") == [".gitignore"]


def test_update_approves_a_changed_story(
    approved: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", "look leave")
    result = compare("--snapshot-update")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*2 snapshots passed. 1 snapshot updated.*"])
    assert "pay" not in (approved / APPROVED).read_text()


def test_workers_of_xdist_compare_and_write_the_same(
    stories: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = ("syrupy", "xdist.plugin")
    compare("-n2", "--snapshot-update", plugins=plugins).assert_outcomes(passed=2)
    one = (stories / APPROVED).read_text()
    compare("--snapshot-update").assert_outcomes(passed=2)
    assert (stories / APPROVED).read_text() == one
    monkeypatch.setenv("STEPS", "look leave")
    result = compare("-n2", plugins=plugins)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*cart: `pay` is missing between `look` and `leave`"])


@pytest.mark.parametrize("spread", [(), ("-n2",)])
def test_unused_stories_are_found_and_deleted_on_update(
    approved: Path, compare: Run, spread: tuple[str, ...]
) -> None:
    plugins = ("syrupy", "xdist.plugin")
    orphan = approved / "snapshots/test_shop/test_gone.md"
    orphan.write_text("<!-- narration story 1, full -->\n")
    result = compare(*spread, plugins=plugins)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*1 snapshot unused.*"])
    assert compare("--snapshot-warn-unused", *spread, plugins=plugins).ret == 0
    compare("--snapshot-update", *spread, plugins=plugins).assert_outcomes(passed=2)
    assert not orphan.exists()
    assert len(files(approved / "snapshots")) == 3


@pytest.mark.parametrize(
    "selection",
    [
        ("tests/test_shop.py::test_buy",),
        ("-k", "test_buy"),
        ("--deselect", "tests/test_shop.py::test_twice"),
        ("--ignore", "tests/test_shop.py", "tests"),
    ],
)
def test_updating_a_part_leaves_the_other_stories_alone(
    approved: Path, compare: Run, selection: tuple[str, ...]
) -> None:
    (approved / "tests" / "test_other.py").write_text(TESTS)
    compare("--snapshot-update").assert_outcomes(passed=4)
    before = files(approved / "snapshots")
    compare("--snapshot-update", *selection)
    assert files(approved / "snapshots") == before


def test_a_step_library_without_assertion_rewriting_uses_assert_match(
    approved: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (approved / "library.py").write_text(
        "def check(story, snapshot):\n    snapshot.assert_match(story)\n"
    )
    (approved / "tests" / "test_shop.py").write_text(
        TESTS.replace(
            'assert narration.story("c-1") == story_snapshot',
            'import library; library.check(narration.story("c-1"), story_snapshot)',
        )
    )
    compare().assert_outcomes(passed=2)
    monkeypatch.setenv("STEPS", "look leave")
    result = compare()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*StoryChanged: the story is not as approved in *"])


def test_the_table_of_the_project_holds_for_every_story(stories: Path, compare: Run) -> None:
    (stories / "pyproject.toml").write_text(
        '[tool.narration.stories]\nfolder = "told"\nlevel = "text"\nredact = ["what"]\n'
    )
    compare("--snapshot-update").assert_outcomes(passed=2)
    text = (stories / "told/test_shop/test_buy.md").read_text()
    assert "Did {what} of job job:cart#1" in text
    assert "**Jobs**" not in text


def test_a_wrong_table_is_a_usage_error(stories: Path, compare: Run) -> None:
    (stories / "pyproject.toml").write_text('[tool.narration.stories]\nlevel = "high"\n')
    result = compare()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*level is 'high'; choose one of structure, text, full*"])


def test_a_wrong_option_names_the_choices(stories: Path, compare: Run) -> None:
    (stories / "tests" / "test_shop.py").write_text(
        "def test_it(story_snapshot):\n    story_snapshot(level='high')\n"
    )
    result = compare()
    result.stdout.fnmatch_lines(["*level='high': choose one of structure, text, full*"])


def test_syrupy_that_is_not_loaded_is_said(stories: Path, compare: Run) -> None:
    result = compare(plugins=())
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*needs the plugin syrupy, which is installed and not loaded*"])


def test_syrupy_that_is_not_installed_is_said_in_one_line(stories: Path, compare: Run) -> None:
    conftest = stories / "conftest.py"
    before = conftest.read_text() if conftest.exists() else ""
    conftest.write_text(f"import sys\nsys.modules['syrupy'] = None\n{before}")

    result = compare(plugins=())

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["E*MissingExtra: syrupy is needed*pytest-narration[[]snapshots]*"])
    result.stdout.no_fnmatch_line("*ModuleNotFoundError*")


def test_the_scenario_of_a_feature_is_part_of_its_story(stories: Path, compare: Run) -> None:
    (stories / "shop.feature").write_text(
        "Feature: Shopping\n"
        "  Background:\n    Given a shop\n"
        "  Scenario Outline: Buying <what>\n"
        "    When somebody buys <what>\n      | colour | size |\n      | red    | <size> |\n"
        "    Then the story is as approved\n"
        "    Examples:\n      | what  | size |\n      | shoes | 42   |\n"
    )
    (stories / "tests" / "test_shop.py").write_text(
        "from pytest_bdd import given, parsers, scenarios, then, when\n"
        "from shop import checkout\n"
        "scenarios('../shop.feature')\n"
        "@given('a shop')\n"
        "def shop(): pass\n"
        "@when(parsers.parse('somebody buys {what}'))\n"
        "def buy(what, datatable, narration): checkout()\n"
        "@then('the story is as approved')\n"
        "def approved(narration, story_snapshot):\n"
        "    assert narration.story('c-1') == story_snapshot\n"
    )
    plugins = ("syrupy", "pytest_bdd.plugin")
    compare("--snapshot-update", plugins=plugins).assert_outcomes(passed=1)
    (file,) = (stories / "snapshots").rglob("*.md")
    assert "\n# Buying shoes\n" in file.read_text()
    assert (
        "```gherkin\nFeature: Shopping\n\n  Scenario Outline: Buying shoes\n"
        "    Given a shop\n    When somebody buys shoes\n"
        "      | colour | size |\n      | red    | 42   |\n"
        "    Then the story is as approved\n```\n"
    ) in file.read_text()
    compare(plugins=plugins).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("compared", "why"),
    [
        ('narration.story("other") == story_snapshot', "*no event*under its correlation id*"),
        (
            'narration.story("c-1") == story_snapshot(actions={"pey"})',
            "*only=, without= and actions= leave nothing of the story's 2 events*",
        ),
    ],
)
def test_an_empty_story_is_refused_though_it_were_approved(
    stories: Path, compare: Run, compared: str, why: str
) -> None:
    test = f"""
def test_empty(narration, story_snapshot):
    buy("look", "pay")
    assert {compared}
"""
    (stories / "tests" / "test_shop.py").write_text(TESTS + test)

    result = compare("-k", "empty", "--snapshot-update")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([why])
    assert not (stories / "snapshots").exists()
