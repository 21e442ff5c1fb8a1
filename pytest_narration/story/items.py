"""What a told story consists of: lines, loops and concurrent blocks, in canonical order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

__all__ = ["Item", "Job", "Lane", "Line", "Loop", "Parallel", "lines"]


class Lane(msgspec.Struct, frozen=True):
    """One emitter of the story."""

    label: str
    """The service, numbered from its second instance on: ``worker (2)``."""
    service: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was narrated, or a run of one point."""

    lane: str
    actor: str
    action: str
    said: str
    job: str = ""
    """Under which job: ``job:worker#1``; empty outside of jobs."""
    level: str = "info"
    channels: tuple[str, ...] = ("stdout",)
    caller: str = ""
    """The lane whose event caused it, when that is another one."""
    times: int = 1


class Loop(msgspec.Struct, frozen=True):
    """A group of items that repeats."""

    times: int
    items: tuple[Item, ...]


class Parallel(msgspec.Struct, frozen=True):
    """Branches that nothing orders against each other."""

    branches: tuple[tuple[Item, ...], ...]


Item: TypeAlias = Line | Loop | Parallel


class Job(msgspec.Struct, frozen=True):
    """A job and what its events say about its place: more than one parent is a contradiction."""

    name: str
    parents: tuple[str, ...] = ()
    correlations: tuple[str, ...] = ()


def lines(items: Sequence[Item]) -> Iterator[Line]:
    """Yield the lines in order, blocks opened."""
    for item in items:
        if isinstance(item, Line):
            yield item
        elif isinstance(item, Loop):
            yield from lines(item.items)
        else:
            for branch in item.branches:
                yield from lines(branch)
