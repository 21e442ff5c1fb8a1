"""The command ``narration coverage --diff BASE``, in repositories of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_narration.cli import main

from .samples import SHOP, checkout, save, shop, started

pytestmark = pytest.mark.usefixtures("here")

Out = pytest.CaptureFixture[str]


@pytest.fixture
def repository(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose base has the shop's catalog and source."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "a")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.org")
    shop(here)
    Path("cart.py").write_text('narrate("startup", "Starting on port {port}")\n', encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "base"], ["tag", "base"]):
        subprocess.run(["git", *command], check=True, cwd=here)
    return here


_NEW_POINT = """
[[points]]
id = "cart.wave"
group = "cart"
actor = "cart"
action = "wave"
human = "Waving"
"""


def test_a_change_that_adds_an_untested_point_fails(repository: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())
    Path("narration.toml").write_text(SHOP + _NEW_POINT, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1

    assert capsys.readouterr().out.splitlines() == [
        "Narration added since base: 0 of 1 points covered",
        "  missed: cart.wave “Waving” narration.toml:60",
        "    never seen",
    ]


def test_a_change_that_tests_what_it_adds_passes(repository: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), checkout(action="wave", template="Waving"))
    Path("narration.toml").write_text(SHOP + _NEW_POINT, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 0
    assert "1 of 1 points covered" in capsys.readouterr().out


def test_a_change_of_words_is_a_new_point(repository: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())
    text = SHOP.replace("Starting on port {port}", "Listening on port {port}")
    Path("narration.toml").write_text(text, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1
    assert "missed: cart.start" in capsys.readouterr().out


def test_a_change_that_narrates_what_no_point_declares_fails(repository: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())
    with Path("cart.py").open("a", encoding="utf-8") as file:
        file.write('narrate("wave", "Waving")\n')
    Path("untracked.py").write_text('narrate("nod", "Nodding")\n', encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1

    out = capsys.readouterr().out
    assert "in no catalog: narrate('wave', 'Waving') cart.py:2" in out
    assert "in no catalog: narrate('nod', 'Nodding') untracked.py:1" in out


def test_a_change_without_narration_passes(repository: Path) -> None:
    save(Path(".narration-coverage"), started())

    assert main(["coverage", "--diff", "base"]) == 0


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


def test_a_further_channel_is_a_promise_that_needs_a_test(repository: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())
    text = SHOP.replace('reach = "lifecycle"', 'channels = ["stdout", "sse"]')
    Path("narration.toml").write_text(text, encoding="utf-8")

    assert main(["coverage", "--diff", "base"]) == 1

    out = capsys.readouterr().out
    assert "partial: cart.start" in out
    assert "seen on stdout, never on sse" in out


def test_what_only_moved_is_not_added(repository: Path, capsys: Out) -> None:
    with Path("cart.py").open("a", encoding="utf-8") as file:
        file.write('narrate("old", "Undeclared from of old")\n')
    _git("commit", "-q", "-a", "-m", "before")
    _git("tag", "before")
    save(Path(".narration-coverage"), started())
    Path("deep").mkdir()
    _git("mv", "cart.py", "deep/shop.py")
    _git("mv", "narration.toml", "deep/points.toml")

    assert main(["coverage", "--diff", "before", "--catalog", "deep/points.toml"]) == 0
    assert capsys.readouterr().out == "Narration added since before: 0 of 0 points covered\n"


def test_without_a_catalog_at_the_base_every_point_is_added(repository: Path, capsys: Out) -> None:
    _git("rm", "-q", "--cached", "narration.toml")
    _git("commit", "-q", "-m", "without")
    save(Path(".narration-coverage"), started())

    assert main(["coverage", "--diff", "HEAD"]) == 1
    assert "1 of 4 points covered" in capsys.readouterr().out


def test_a_catalog_that_was_broken_at_the_base_is_noted(repository: Path, capsys: Out) -> None:
    Path("narration.toml").write_text("catalog =", encoding="utf-8")
    _git("commit", "-q", "-a", "-m", "broken")
    save(Path(".narration-coverage"), started())

    assert main(["coverage", "--diff", "HEAD"]) == 1

    out = capsys.readouterr().out
    assert "note: the catalog at the base is left out: " in out
    assert ":narration.toml:1: the catalog is not TOML" in out


def test_files_that_cannot_be_read_are_noted_and_odd_ones_are_read(
    repository: Path, capsys: Out
) -> None:
    save(Path(".narration-coverage"), started())
    Path("dangling.py").symlink_to("nowhere")
    Path("broken.py").write_text("def :", encoding="utf-8")
    Path('odd "ü".py').write_bytes(b'# coding: latin-1\nnarrate("nod", "caf\xe9")')

    assert main(["coverage", "--diff", "base"]) == 1

    assert capsys.readouterr().out.splitlines()[1:] == [
        "  in no catalog: narrate('nod', 'café') odd \"ü\".py:2",
        "  note: broken.py is left out: not Python as this version reads it: invalid syntax "
        "(line 1)",
        "  note: dangling.py is left out: No such file or directory",
    ]


def test_a_shallow_clone_is_told_to_fetch(
    repository: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _git("commit", "-q", "--allow-empty", "-m", "more")
    save(Path(".narration-coverage"), started())
    clone = tmp_path / "clone"
    _git("clone", "-q", "--depth=1", tmp_path.as_uri(), str(clone))
    monkeypatch.chdir(clone)
    _git("fetch", "-q", "--depth=1", "origin", "tag", "base")
    data = ["--data", str(tmp_path / ".narration-coverage"), "--catalog", "narration.toml"]

    assert main(["coverage", "--diff", "base", *data]) == 2

    assert "this clone is shallow: git fetch --unshallow" in capsys.readouterr().err


@pytest.mark.parametrize("base", ["no-such-branch", "--output=x", ""])
def test_a_base_that_is_no_commit_says_how_to_get_it(
    repository: Path, capsys: Out, base: str
) -> None:
    save(Path(".narration-coverage"), started())

    assert main(["coverage", f"--diff={base}"]) == 2
    assert f"{base!r} is no commit of this repository. In CI" in capsys.readouterr().err


def test_a_catalog_outside_of_the_repository_has_no_history(
    repository: Path, capsys: Out, tmp_path_factory: pytest.TempPathFactory
) -> None:
    save(Path(".narration-coverage"), started())
    shop(outside := tmp_path_factory.mktemp("outside"))
    catalog = ["--catalog", str(outside / "narration.toml")]

    assert main(["coverage", "--diff", "base", *catalog]) == 2
    assert "is not in the repository" in capsys.readouterr().err


def test_outside_of_a_repository_is_said(here: Path, capsys: Out) -> None:
    save(Path(".narration-coverage"), started())

    assert main(["coverage", "--diff", "base"]) == 2
    assert "not a git repository" in capsys.readouterr().err
