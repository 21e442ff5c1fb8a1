"""``narration review``: stories that differ from the approved ones, one by one, yes or no.

A failing ``assert story == story_snapshot`` leaves what it received in ``.narration-pending/``;
here a person looks at it, sees in words what changed, and accepts or rejects it.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from .snapshot.differences import differences, short_diff
from .snapshot.pending import FOLDER, Pending, pending
from .snapshot.reading import is_story, read

__all__ = ["configure", "run"]

_WORDS = {"accept": "a", "reject": "r", "skip": "s", "show": "d", "quit": "q"}
_HELP = """\
  a  accept: it becomes the approved story
  r  reject: forget it, the approved story stays
  s  skip: look at it another time
  d  show the whole story
  q  quit
"""


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--root",
        type=Path,
        default=None,
        help=f"folder that holds {FOLDER}; the nearest one upwards by default",
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--list", action="store_true", help="name what waits, and change nothing")
    one.add_argument("--accept-all", action="store_true", help="accept without asking")
    one.add_argument("--reject-all", action="store_true", help="reject without asking")


def run(arguments: Namespace) -> int:
    """Walk through what waits; return 1 while something still does."""
    root = arguments.root or _root(Path.cwd())
    waiting = pending(root)
    if not waiting:
        _write("No story waits for review.\n")
        return 0
    left = 0
    for number, story in enumerate(waiting, 1):
        _write(f"\n[{number}/{len(waiting)}] {_summary(story, root)}\n")
        if arguments.list:
            left += 1
            continue
        answer = "a" if arguments.accept_all else "r" if arguments.reject_all else _ask(story)
        if answer == "q":
            left += len(waiting) - number + 1
            break
        left += _do(answer, story)
    _write(f"\n{left} of {len(waiting)} still wait for review.\n" if left else "\nDone.\n")
    return 1 if left else 0


def _root(start: Path) -> Path:
    return next((p for p in (start, *start.parents) if (p / FOLDER).is_dir()), start)


def _do(answer: str, story: Pending) -> int:
    """Do what was answered; return how many stories are left waiting by it."""
    if answer == "a":
        story.accept()
        _write("accepted\n")
    elif answer == "r":
        story.reject()
        _write("rejected: the approved story stays\n")
    else:
        return 1
    return 0


def _ask(story: Pending) -> str:
    while True:
        _write("accept, reject, skip, show, quit [a/r/s/d/q/?] ")
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            _write("\n")
            return "q"  # nobody is there to answer, or wants to
        given = line.strip().lower()
        # Nothing but these: a word such as `abort` must not accept.
        answer = given if len(given) == 1 else _WORDS.get(given, "?")
        if answer in ("a", "r", "s", "q"):
            return answer
        _write(story.received.read_text(encoding="utf-8") if answer == "d" else _HELP)


def _summary(story: Pending, root: Path) -> str:
    received = story.received.read_text(encoding="utf-8")
    title = f"{read(received).title}: " if is_story(received) else ""
    path = story.approved.relative_to(root).as_posix()
    if not story.approved.is_file():
        rows = read(received).table if is_story(received) else tuple(received.splitlines())
        return "\n".join([f"{title}{path} (nobody approved it yet)", *rows[:40], *_more(len(rows))])
    approved = story.approved.read_text(encoding="utf-8")
    if approved == received:
        return f"{title}{path} (as approved by now)"
    words = [f"  {line}" for line in differences(approved, received)]
    return "\n".join([f"{title}{path}", *words, "", *short_diff(approved, received)])


def _more(count: int) -> list[str]:
    return [f"… {count - 40} more lines"] if count > 40 else []


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
