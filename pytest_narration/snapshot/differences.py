"""An approved story and a received one -> what changed, in words, and a short diff.

``worker: `cache_reset` is missing between `tokenize` and `token_generate` ``
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

import msgspec

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
    old, found = _under_new_names(old, new)
    found += dict.fromkeys(_in_rows(old.rows, new.rows))
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


def _under_new_names(old: Reading, new: Reading) -> tuple[Reading, list[str]]:
    """Say once that a service has another name, and return what was approved with it."""
    before, after = (_lanes(reading.rows) for reading in (old, new))
    names: dict[str, str] = {}
    for lane in before.keys() - after.keys():
        heirs = [n for n in after.keys() - before.keys() if after[n] == before[lane]]
        if len(heirs) == 1 and heirs[0] not in names.values():
            names[lane] = heirs[0]

    def renamed(text: str) -> str:
        for lane, name in names.items():
            text = text.replace(f"job:{lane}#", f"job:{name}#")
        return text

    rows = [
        msgspec.structs.replace(
            row, lane=names.get(row.lane, row.lane), said=renamed(row.said), job=renamed(row.job)
        )
        for row in old.rows
    ]
    told = sorted(f"{tidy(name)} is what was {tidy(lane)}" for lane, name in names.items())
    changed = {"rows": tuple(rows), "jobs": tuple(map(renamed, old.jobs))}
    return msgspec.structs.replace(old, **changed), told


def _lanes(rows: Sequence[SaidRow]) -> dict[str, list[tuple[str, str]]]:
    """Return what each lane does: ``{lane: [(actor, action), ...]}``."""
    lanes: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        lanes.setdefault(row.lane, []).append((row.actor, row.action))
    return lanes


def _in_rows(old: Sequence[SaidRow], new: Sequence[SaidRow]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(
        None, [row.point for row in old], [row.point for row in new], autojunk=False
    )
    same: list[tuple[int, int]] = []
    places: list[tuple[range, range]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            same += zip(range(a, b), range(c, d), strict=True)
        else:
            places.append((range(a, b), range(c, d)))
    gone = [a for there, _ in places for a in there]
    come = [c for _, here in places for c in here]
    moved = _paired(gone, come, lambda a, c: _is_same(old[a], new[c]))
    renamed: list[tuple[int, int]] = []
    for there, here in places:
        left = [a for a in there if a in gone], [c for c in here if c in come]
        found = _paired(*left, lambda a, c: _is_renamed(old[a], new[c]))
        for a, c in found:
            gone.remove(a)
            come.remove(c)
        renamed += found
    for a in gone:
        yield f"{_who(old[a])} is missing {_where(old, a, gone)}"
    for c in come:
        yield f"{_who(new[c])} is new {_where(new, c, come)}"
    for a, c in moved:
        yield f"{_who(new[c])} moved: it is {_after(new, c)}; approved was {_after(old, a)}"
    for a, c in renamed:
        yield _renamed(old[a], new[c])
    for a, c in (*same, *moved, *renamed):
        yield from _changed(old[a], new[c])


def _paired(
    gone: list[int], come: list[int], belongs: Callable[[int, int], bool]
) -> list[tuple[int, int]]:
    """Take out of both lists what belongs together."""
    pairs: list[tuple[int, int]] = []
    for a in list(gone):
        c = next((c for c in come if belongs(a, c)), None)
        if c is not None:
            pairs.append((a, c))
            gone.remove(a)
            come.remove(c)
    return pairs


def _is_renamed(one: SaidRow, other: SaidRow) -> bool:
    """Whether a row in the place of another is the same under another name."""
    if one.action == other.action and one.lane == other.lane:
        return True
    if not one.said or one.said != other.said:
        return False
    return one.lane == other.lane or one.action == other.action


def _renamed(old: SaidRow, new: SaidRow) -> str:
    if old.lane != new.lane:
        return f"{_who(new)} was approved as {_who(old)}"
    if old.action != new.action:
        return f"{_who(new)} is what was `{old.action}`"
    actors = [tidy(row.actor) or "nobody" for row in (new, old)]
    return f"{_who(new)} is by {actors[0]}; approved was {actors[1]}"


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
