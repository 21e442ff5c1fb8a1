"""Things to be told -> one after another: by a fixed key, and by structure where keys are equal.

Structure is a colour that grows while the story is told, as each choice tells apart what was
equal before. The latest colour goes first: what belongs to something told earlier keeps its place,
so of two equal workers the one that began a story's first block begins the second one, too.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

__all__ = ["Choice"]

_T = TypeVar("_T")

_MOST_COMPARED = 512
"""Equals that are compared anew for each choice; more are taken in the order of their colours."""


class Choice(Generic[_T]):
    """What is left to tell.

    :param entries: ``(key, thing)``.
    :param colour: the present colour of a thing; it only ever grows.
    """

    def __init__(self, entries: Iterable[tuple[Any, _T]], colour: Callable[[_T], int]) -> None:
        self._colour = colour
        groups: dict[Any, list[_T]] = {}
        for key, thing in entries:
            groups.setdefault(key, []).append(thing)
        self._groups = [groups[key] for key in sorted(groups, reverse=True)]
        self._heap: list[tuple[int, int, _T]] = []

    def __iter__(self) -> Choice[_T]:
        return self

    def __next__(self) -> _T:
        if self._heap:
            return self._lowest()
        if not self._groups:
            raise StopIteration
        group = self._groups[-1]
        if len(group) > _MOST_COMPARED:
            self._groups.pop()
            self._heap = [(self._colour(thing), n, thing) for n, thing in enumerate(group)]
            heapq.heapify(self._heap)
            return self._lowest()
        best = max(range(len(group)), key=lambda n: self._colour(group[n])) if group[1:] else 0
        chosen = group.pop(best)
        if not group:
            self._groups.pop()
        return chosen

    def _lowest(self) -> _T:
        while True:
            colour, number, thing = self._heap[0]
            present = self._colour(thing)
            if present == colour:
                heapq.heappop(self._heap)
                return thing
            heapq.heapreplace(self._heap, (present, number, thing))
