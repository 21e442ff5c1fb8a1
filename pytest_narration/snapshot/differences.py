"""An approved story and a received one -> what changed, in words, and a short diff.

``worker: `cache_reset` is missing between `tokenize` and `token_generate` ``
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from .reading import Reading, SaidRow, is_story, read
from .text import cut, tidy

__all__ = ["differences", "short_diff"]

_MOST_WORDS = 12
_MOST_DIFF = 40
_WIDTH = 160


def differences(approved: str, received: str, *, most: int = _MOST_WORDS) -> list[str]:
    """Say what changed, the most telling things first.

    :param most: sentences at most; others are counted.
    """
    if not (is_story(approved) and is_story(received)):
        return []
    old, new = read(approved), read(received)
    if old.level != new.level:
        return [f"the level is {new.level}; approved was {old.level}: approve it again"]
    found = list(dict.fromkeys(_in_rows(old.rows, new.rows)))
    found += _in_lists(old, new)
    if not found and old.table != new.table:
        found.append("what runs concurrently or repeats changed, and nothing else")
    if not found:
        found += _around(old, new)
    if len(found) > most:
        found = [*found[:most], f"… and {len(found) - most} more differences"]
    return found


def short_diff(approved: str, received: str, *, most: int = _MOST_DIFF) -> list[str]:
    """Return a unified diff of the lines of both stories, without the diagram.

    :param most: lines at most; what is left out is counted.
    """
    old, new = (
        list(read(text).table) if is_story(text) else text.splitlines()
        for text in (approved, received)
    )
    diff = [
        cut(line, _WIDTH)
        for line in difflib.unified_diff(old, new, n=1, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    left = len(diff) - most
    return [*diff[:most], f"… {left} more lines of diff"] if left > 0 else diff


def _in_rows(old: Sequence[SaidRow], new: Sequence[SaidRow]) -> Iterator[str]:
    gone: list[int] = []
    come: list[int] = []
    same: list[tuple[int, int]] = []
    matcher = difflib.SequenceMatcher(
        None, [row.point for row in old], [row.point for row in new], autojunk=False
    )
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            same += zip(range(a, b), range(c, d), strict=True)
        else:
            gone += range(a, b)
            come += range(c, d)
    moved: list[tuple[int, int]] = []
    for a in list(gone):
        to = next((c for c in come if _is_same(old[a], new[c])), None)
        if to is not None:
            moved.append((a, to))
            gone.remove(a)
            come.remove(to)
    for a in gone:
        yield f"{_who(old[a])} is missing {_where(old, a, gone)}"
    for c in come:
        yield f"{_who(new[c])} is new {_where(new, c, come)}"
    for a, c in moved:
        yield f"{_who(new[c])} moved: it is {_after(new, c)}; approved was {_after(old, a)}"
    for a, c in (*same, *moved):
        yield from _changed(old[a], new[c])


def _is_same(one: SaidRow, other: SaidRow) -> bool:
    return one.point == other.point and one.said == other.said


def _changed(old: SaidRow, new: SaidRow) -> Iterator[str]:
    who = _who(new)
    if old.said != new.said:
        yield f"{who} says {_apart(new.said, old.said)}; approved was {_apart(old.said, new.said)}"
    if old.channel != new.channel:
        yield f"{who} came on {new.channel}; approved was {old.channel}"
    if old.level != new.level:
        yield f"{who} is at level {new.level}; approved was {old.level}"
    if old.job != new.job:
        yield f"{who} belongs to {new.job or 'no job'}; approved was {old.job or 'no job'}"
    if old.times != new.times:
        yield f"{who} came ×{new.times}; approved was ×{old.times}"


def _in_lists(old: Reading, new: Reading) -> Iterator[str]:
    for before, after, what in (
        (old.jobs, new.jobs, "job"),
        (old.problems, new.problems, "problem"),
    ):
        for entry in after:
            if entry not in before:
                yield f"{what} that is new: {entry}"
        for entry in before:
            if entry not in after:
                yield f"{what} that is gone: {entry}"


def _around(old: Reading, new: Reading) -> Iterator[str]:
    if old.title != new.title:
        yield f"the title is “{new.title}”; approved was “{old.title}”"
    if old.scenario != new.scenario:
        yield "the text of the scenario changed"
    if old.diagram != new.diagram:
        yield "only the diagram changed"


def _apart(text: str, other: str) -> str:
    """Quote a text; of a long one the part around what differs from the other."""
    text, other = tidy(text), tidy(other)
    if len(text) <= _WIDTH:
        return f"“{text}”"
    pairs = zip(text, other, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(text), len(other)))
    begin = max(0, min(same - _WIDTH // 4, len(text) - _WIDTH))
    end = begin + _WIDTH
    return f"“{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}”"


def _who(row: SaidRow) -> str:
    return f"{tidy(row.lane)}: `{row.action}`"


def _where(rows: Sequence[SaidRow], at: int, skipped: Sequence[int]) -> str:
    """Say between which neighbours a row stands; lanes are named where they differ."""
    left_out = set(skipped)
    before = next((rows[n] for n in range(at - 1, -1, -1) if n not in left_out), None)
    after = next((rows[n] for n in range(at + 1, len(rows)) if n not in left_out), None)
    if before is not None and after is not None:
        return f"between {_near(before, rows[at])} and {_near(after, rows[at])}"
    if before is not None:
        return f"at the end, after {_near(before, rows[at])}"
    if after is not None:
        return f"at the beginning, before {_near(after, rows[at])}"
    return "and there is nothing else"


def _after(rows: Sequence[SaidRow], at: int) -> str:
    return f"after {_near(rows[at - 1], rows[at])}" if at else "at the beginning"


def _near(row: SaidRow, of: SaidRow) -> str:
    return f"`{row.action}`" if row.lane == of.lane else f"{tidy(row.lane)}'s `{row.action}`"
