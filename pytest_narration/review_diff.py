"""``narration diff BASE..HEAD``: every story that a branch changes, as Markdown for a comment.

Each changed story shows in words what changed, the old and the new diagram side by side, and a
short diff. git reads both sides, so no test runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from .errors import ConfigurationError
from .snapshot.differences import differences, short_diff
from .snapshot.reading import is_story, read
from .snapshot.settings import StorySettings
from .snapshot.text import code

__all__ = ["Change", "changes", "configure", "run", "summary"]

_MOST_CHARACTERS = 60_000
"""GitHub takes 65,536 characters a comment; GitLab a million."""

_SPECIAL = re.compile(r"[&<>#@*_~$`\[\]|\\]")
_POINT = re.compile(r"(`[\w.:/-]+`)")
_RANGE = re.compile(r"(?P<base>.+?)(?P<dots>\.{2,3})(?P<head>.*)")


class Change(msgspec.Struct, frozen=True):
    """One story on both sides; ``None`` where it does not exist."""

    path: str
    old: str | None
    new: str | None
    before: str = ""
    """Where it was, if that was elsewhere: its test was renamed or moved."""

    @property
    def kind(self) -> str:
        """``new``, ``gone``, ``renamed`` or ``changed``."""
        if self.old is None or self.new is None:
            return "new" if self.old is None else "gone"
        return "renamed" if self.before else "changed"

    @property
    def title(self) -> str:
        """The story's title, the path when it has none."""
        return read(self.new or self.old or "").title or self.path


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "range",
        metavar="BASE..HEAD",
        help="two commits; BASE...HEAD starts where the branches parted, BASE alone ends at the "
        "files as they are",
    )
    parser.add_argument("--folder", help="where the stories are; as configured by default")
    parser.add_argument("--output", type=Path, help="file to write; stdout by default")
    parser.add_argument(
        "--most",
        type=int,
        default=_MOST_CHARACTERS,
        metavar="CHARACTERS",
        help="longest summary; stories that do not fit are named only (default: %(default)s)",
    )


def run(arguments: Namespace) -> int:
    """Write the summary."""
    root = Path(_git(Path.cwd(), "rev-parse", "--show-toplevel").strip())
    folder = arguments.folder or StorySettings.load(root).folder
    found = changes(root, arguments.range, folder)
    if arguments.folder and not found and not (root / folder).is_dir():
        raise ConfigurationError(f"--folder {folder}: there is no such folder in {root}")
    text = summary(found, most=arguments.most)
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


def changes(root: Path, commits: str, folder: str) -> list[Change]:
    """Return the stories that differ between two commits, by path.

    :raises ConfigurationError: git knows no such commit, or there is no git.
    """
    found = _RANGE.fullmatch(commits)
    base = found["base"] if found else commits
    head = (found["head"] or "HEAD") if found else None
    if found and len(found["dots"]) == 3:
        assert head is not None, "a range has an end"
        base = _git(root, "merge-base", base, head).strip()
    ends = [base] if head is None else [base, head]
    for commit in ends:
        if commit.startswith("-"):
            raise ConfigurationError(f"{commit!r} is no commit; expected BASE..HEAD")
    # Stories of one project are alike: only what is nearly the same is the same story elsewhere.
    listed = _git(root, "diff", "--name-status", "--find-renames=80%", "-z", *ends, "--", folder)
    moved = _moved(listed)
    if head is None:
        others = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", folder)
        moved |= {path: path for path in others.split("\0") if path}
    sides = [
        Change(path, _at(root, base, old), _at(root, head, path), old if old != path else "")
        for path, old in sorted(moved.items())
    ]
    return [
        change
        for change in sides
        if (change.old != change.new or change.before)
        and any(side is not None and is_story(side) for side in (change.old, change.new))
    ]


def _moved(listed: str) -> dict[str, str]:
    """Read ``git diff --name-status -z``: ``{path: the path it had}``."""
    words = iter(listed.split("\0"))
    moved: dict[str, str] = {}
    for status in words:
        if status:
            old = next(words)
            moved[next(words) if status[0] in "RC" else old] = old
    return moved


def summary(found: Sequence[Change], *, most: int = _MOST_CHARACTERS) -> str:
    """Write the Markdown."""
    if not found:
        return "No story changed.\n"
    counts = [
        f"{sum(change.kind == kind for change in found)} {kind}"
        for kind in ("changed", "renamed", "new", "gone")
        if any(change.kind == kind for change in found)
    ]
    text = f"# Stories: {', '.join(counts)}\n"
    named: list[Change] = []
    for change in found:
        section = _section(change)
        if len(text) + len(section) > most:
            named.append(change)
        else:
            text += section
    if named:
        text += f"\n## {len(named)} more that do not fit here\n\n"
        text += "".join(f"- {code(change.path)}: {change.kind}\n" for change in named[:100])
        text += f"- … and {len(named) - 100} more\n" if len(named) > 100 else ""
    return text


def _section(change: Change) -> str:
    old, new = change.old or "", change.new or ""
    where = f"{code(change.before)} → " if change.before else ""
    parts = ["", f"## {_prose(change.title)}: {change.kind}", "", where + code(change.path), ""]
    if change.old is not None and change.new is not None:
        parts += [f"- {_prose(line)}" for line in _words(old, new)]
        parts += ["", *_side_by_side(read(old).diagram, read(new).diagram)]
        lines = short_diff(old, new)
        parts += (
            _folded("The lines that changed", _fence("diff", "\n".join(lines))) if lines else []
        )
    else:
        told = read(new or old)
        drawn = _fence("mermaid", told.diagram)
        parts += _folded("The story", drawn if told.diagram else _fence("", "\n".join(told.table)))
    return "\n".join(parts) + "\n"


def _words(old: str, new: str) -> list[str]:
    if old == new:
        return ["the story is the same"]
    if not (is_story(old) and is_story(new)):
        return ["it became another kind of document"]
    return differences(old, new) or ["it is written in another way, and tells the same"]


def _side_by_side(old: str, new: str) -> list[str]:
    if old == new:
        return []
    # Empty lines around the fences: inside of HTML they begin Markdown again.
    return [
        "<table><tr><th>approved</th><th>proposed</th></tr><tr><td>",
        "",
        *_fence("mermaid", old),
        "",
        "</td><td>",
        "",
        *_fence("mermaid", new),
        "",
        "</td></tr></table>",
        "",
    ]


def _folded(title: str, content: Iterable[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *content, "", "</details>", ""]


def _fence(language: str, text: str) -> list[str]:
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return [f"{fence}{language}", text, fence]


def _prose(text: str) -> str:
    """Escape what a comment would turn into links, mentions or HTML; names of points stay code."""
    parts = _POINT.split(text)
    parts[::2] = [_SPECIAL.sub(lambda found: f"&#{ord(found[0])};", part) for part in parts[::2]]
    return "".join(parts)


def _at(root: Path, commit: str | None, path: str) -> str | None:
    if commit is None:
        file = root / path
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
    try:
        # `git show` would take the brackets of a parametrised test's story for a pattern.
        return _git(root, "cat-file", "blob", f"{commit}:{path}")
    except ConfigurationError:
        return None  # it does not exist on this side


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=60,
        )
    except FileNotFoundError as error:
        raise ConfigurationError("narration diff needs git, which is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(f"git {arguments[0]} took longer than 60 s") from error
    if done.returncode:
        raise ConfigurationError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
