"""A sequence of told events -> the same with what repeats said once.

A run of one point becomes one line, ``×3``; a repeated group becomes a loop. Nothing that tells
stories apart is lost: ids may only stay the same or count up evenly, texts must be equal, and
numbers that go up evenly show the first and the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import msgspec

from .items import Item, Line, Loop, Parallel
from .words import Value

__all__ = ["Cell", "Names", "Part", "Told", "collapsed", "items_of", "line_cell", "parallel_cell"]

_LONGEST = 8
"""Most lines of a repeated group."""
_PASSES = 3
"""Loops in loops in loops."""


class Names(NamedTuple):
    """One id's name, or the names of a run's ids: ``job:worker#1…#4``."""

    label: str
    first: int
    last: int

    def __str__(self) -> str:
        more = f"…#{self.last}" if self.last != self.first else ""
        return f"{self.label}#{self.first}{more}"


Part: TypeAlias = str | Names | Value


class Told(msgspec.Struct, frozen=True):
    """A line before its parts are put together."""

    line: Line
    """Without ``said`` and ``job``."""
    parts: tuple[Part, ...]
    job: Names | None


class Cell(msgspec.Struct):
    """One element of a sequence."""

    base: tuple[object, ...]
    """What must be equal for two cells to be repeats of each other."""
    ids: tuple[int, ...]
    told: Told | None = None
    times: int = 1
    """How often the group repeats."""
    group: tuple[Cell, ...] = ()
    branches: tuple[tuple[Cell, ...], ...] = ()


def line_cell(told: Told) -> Cell:
    """Wrap a line."""
    shape = tuple(
        part.label if isinstance(part, Names) else _fixed(part) if isinstance(part, Value) else part
        for part in told.parts
    )
    job = told.job.label if told.job else ""
    ids = [part.first for part in told.parts if isinstance(part, Names)]
    if told.job:
        ids.append(told.job.first)
    return Cell((told.line, shape, job), tuple(ids), told)


def _fixed(value: Value) -> tuple[str, str]:
    return (value.name, "" if _number(value.text) is not None else value.text)


def parallel_cell(branches: Sequence[Sequence[Cell]]) -> Cell:
    """Wrap a concurrent block."""
    base = tuple(tuple(cell.base for cell in branch) for branch in branches)
    ids = tuple(n for branch in branches for cell in branch for n in cell.ids)
    return Cell(("parallel", base), ids, branches=tuple(map(tuple, branches)))


def collapsed(cells: list[Cell]) -> list[Cell]:
    """Return the sequence with runs and repeated groups collapsed."""
    for _ in range(_PASSES):
        shorter = _collapse_once(cells)
        if len(shorter) == len(cells):
            return shorter
        cells = shorter
    return cells


def _collapse_once(cells: list[Cell]) -> list[Cell]:
    numbers: dict[tuple[object, ...], int] = {}
    bases = [numbers.setdefault(cell.base, len(numbers)) for cell in cells]
    result: list[Cell] = []
    position = 0
    while position < len(cells):
        best, period = 1, 1
        for length in range(1, min(_LONGEST, (len(cells) - position) // 2) + 1):
            # A shorter period that covers as much says the same in fewer lines.
            repeats = _repeats(cells, bases, position, length)
            if repeats > 1 and repeats * length > best * period:
                best, period = repeats, length
        if best == 1:
            result.append(cells[position])
        elif period == 1:
            result.append(_merged(cells[position : position + best]))
        else:
            result.append(_loop(cells[position : position + best * period], best, period))
        position += best * period
    return result


def _repeats(cells: Sequence[Cell], bases: Sequence[int], start: int, length: int) -> int:
    """Count how often the group of some length repeats from a position on."""
    repeats = 1
    strides: list[tuple[int, ...]] = []
    while start + (repeats + 1) * length <= len(cells):
        for offset in range(length):
            one, two = start + (repeats - 1) * length + offset, start + repeats * length + offset
            if bases[one] != bases[two]:
                return repeats
            stride = tuple([b - a for a, b in zip(cells[one].ids, cells[two].ids, strict=True)])
            if repeats == 1:
                strides.append(stride)
                if min(stride, default=0) < 0:
                    return repeats
            elif strides[offset] != stride:
                return repeats
        repeats += 1
    return repeats


def _loop(cells: Sequence[Cell], times: int, period: int) -> Cell:
    group = collapsed([_merged(cells[offset::period], times=1) for offset in range(period)])
    base = ("loop", times, *(cell.base for cell in group))
    return Cell(base, _ids(group), times=times, group=tuple(group))


def _merged(cells: Sequence[Cell], times: int | None = None) -> Cell:
    """Say several equal cells as one.

    :param times: how often the result counts; as often as there are cells by default.
    """
    first = cells[0]
    if first.told is not None:
        told = _merged_line([c.told for c in cells if c.told is not None], times)
        cell = line_cell(told)
        # The ids of its first round tell it from others; strides were compared before.
        return cell
    if first.branches:
        branches = [
            [_merged(column, times=1) for column in zip(*sides, strict=True)]
            for sides in zip(*(cell.branches for cell in cells), strict=True)
        ]
        inner = parallel_cell(branches)
    else:
        group = [_merged(column, 1) for column in zip(*(c.group for c in cells), strict=True)]
        base = ("loop", first.times, *(cell.base for cell in group))
        inner = Cell(base, _ids(group), times=first.times, group=tuple(group))
    count = len(cells) if times is None else times
    if count == 1:
        return inner
    return Cell(("loop", count, inner.base), inner.ids, times=count, group=(inner,))


def _ids(cells: Sequence[Cell]) -> tuple[int, ...]:
    return tuple(n for cell in cells for n in cell.ids)


def _merged_line(told: Sequence[Told], times: int | None) -> Told:
    line = told[0].line
    if times is None:
        line = msgspec.structs.replace(line, times=line.times * len(told))
    columns = zip(*(one.parts for one in told), strict=True)
    jobs = [one.job for one in told if one.job is not None]
    job = _range(jobs) if jobs else None
    return Told(line, tuple(_merged_part(column) for column in columns), job)


def _merged_part(column: Sequence[Part]) -> Part:
    first = column[0]
    if isinstance(first, Names):
        return _range([part for part in column if isinstance(part, Names)])
    if not isinstance(first, Value):
        return first
    texts = [part.text for part in column if isinstance(part, Value)]
    if len(set(texts)) == 1:
        return first
    numbers = [_number(text) or 0 for text in texts]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(steps) == 1:
        return Value(first.name, f"{texts[0]}…{texts[-1]}")
    return Value(first.name, f"{{{first.name}}}")


def _range(names: Sequence[Names]) -> Names:
    return Names(names[0].label, names[0].first, names[-1].last)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18):
        return None
    return int(text)


def items_of(cells: Sequence[Cell], *, counted: bool = True) -> tuple[Item, ...]:
    """Put the texts together.

    :param counted: whether repeats show their number; 0 stands for some otherwise.
    """
    return tuple(_item(cell, counted) for cell in cells)


def _item(cell: Cell, counted: bool) -> Item:
    if cell.told is not None:
        told = cell.told
        line = told.line
        said = "".join(
            _shown(part, counted) if isinstance(part, Value) else str(part) for part in told.parts
        )
        return msgspec.structs.replace(
            line,
            said=said,
            job=str(told.job) if told.job else "",
            times=line.times if counted or line.times == 1 else 0,
        )
    if cell.branches:
        return Parallel(tuple(items_of(branch, counted=counted) for branch in cell.branches))
    return Loop(cell.times if counted else 0, items_of(cell.group, counted=counted))


def _shown(value: Value, counted: bool) -> str:
    # How far a run came is as uncounted as the run itself.
    return value.text if counted or "…" not in value.text else f"{{{value.name}}}"
