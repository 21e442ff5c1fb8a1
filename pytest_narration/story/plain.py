"""A told story -> plain text, one line for each line of the story.

::

    orchestrator  admission `job_admit`  Admitted job job:orchestrator#1  [stdout sse]
    ┌ concurrently
    │ orchestrator  relay `relay_start`  Relaying job …
    ├ and
    │ worker  tokenizer `tokenize`  Tokenized prompt (16 tokens)  [stdout sse]
    └
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .items import Item, Line, Loop
from .problems import Problem

__all__ = ["Row", "plain", "rows", "times"]

Row = tuple[str, Line | str]
"""The bars of the blocks around it, and a line or what opens, divides or closes a block."""


def rows(items: Sequence[Item], bars: str = "") -> Iterator[Row]:
    """Yield the story row by row, with the edges of its blocks."""
    for item in items:
        if isinstance(item, Line):
            yield bars, item
            continue
        sides: tuple[tuple[Item, ...], ...]
        if isinstance(item, Loop):
            sides, opening = (item.items,), f"repeated {times(item.times)}"
        else:
            sides, opening = item.branches, "concurrently"
        for number, side in enumerate(sides):
            yield (f"{bars}├ ", "and") if number else (f"{bars}┌ ", opening)
            yield from rows(side, f"{bars}│ ")
        yield f"{bars}└", ""


def times(count: int) -> str:
    """Return ``×3``; ``×…`` for a repeat that is not counted."""
    return f"×{count}" if count else "×…"


def plain(items: Sequence[Item], problems: Sequence[Problem] = ()) -> str:
    """Return the story as text."""
    told = [
        bars + (shown if isinstance(shown, str) else _line(shown)) for bars, shown in rows(items)
    ]
    told += [f"! {problem.text}" for problem in problems]
    return "\n".join(told)


def _line(line: Line) -> str:
    repeats = f"  {times(line.times)}" if line.times != 1 else ""
    point = f"{line.actor} `{line.action}`".strip()
    level = "" if line.level == "info" else f"  ({line.level})"
    return f"{line.lane}  {point}  {line.said}{level}{repeats}  [{' '.join(line.channels)}]"
