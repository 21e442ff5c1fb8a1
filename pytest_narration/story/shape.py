"""A partial order -> what comes one after another, and what runs side by side.

An event that is comparable with every other one is a joint: the story passes through it. Between
two joints the events fall into components that nothing orders against each other; each component
is a branch, shaped in the same way. A component without joints of its own is a tangle, which has
no series-parallel form and is told in canonical order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

__all__ = ["Fork", "Shape", "Tangle", "shape_of", "topological"]

_DEEPEST = 6
"""Blocks within blocks that a reader can follow; deeper ones are told as tangles."""


class Tangle(msgspec.Struct):
    """Nodes that are ordered partly, in a topological order."""

    nodes: list[int]


class Fork(msgspec.Struct):
    """Branches without an order between them."""

    branches: list[list[Shape]]


Shape: TypeAlias = int | Tangle | Fork


def topological(before: Sequence[list[int]], after: Sequence[list[int]]) -> list[int]:
    """Return some order that respects the edges; which one does not matter to shapes."""
    waiting = [len(found) for found in before]
    order = [node for node, count in enumerate(waiting) if not count]
    for node in order:
        for follower in after[node]:
            waiting[follower] -= 1
            if not waiting[follower]:
                order.append(follower)
    return order


def shape_of(
    order: Sequence[int], before: Sequence[list[int]], after: Sequence[list[int]]
) -> list[Shape]:
    """Shape all nodes, given in a topological order."""
    return _Shaper(before, after).shape(list(order), 0)


class _Shaper:
    def __init__(self, before: Sequence[list[int]], after: Sequence[list[int]]) -> None:
        self._before = before
        self._after = after
        self._part = [0] * len(before)
        self._parts = 0

    def shape(self, nodes: list[int], depth: int) -> list[Shape]:
        """Shape some nodes that are closed under what lies between them."""
        part = self._new_part(nodes)
        joints = self._joints(nodes, part)
        shapes: list[Shape] = []
        between: list[int] = []
        for node, is_joint in zip(nodes, joints, strict=True):
            if not is_joint:
                between.append(node)
                continue
            if between:
                shapes.append(self._between(between, depth))
                between = []
            shapes.append(node)
        if between:
            shapes.append(self._between(between, depth))
        return shapes

    def _new_part(self, nodes: list[int]) -> int:
        self._parts += 1
        for node in nodes:
            self._part[node] = self._parts
        return self._parts

    def _joints(self, nodes: list[int], part: int) -> list[bool]:
        """Say which nodes are comparable with all others: alone in both directions of Kahn."""
        forward = self._alone(nodes, self._before, self._after, part)
        backward = self._alone(nodes[::-1], self._after, self._before, part)
        return [a and b for a, b in zip(forward, reversed(backward), strict=True)]

    def _alone(
        self,
        nodes: list[int],
        before: Sequence[list[int]],
        after: Sequence[list[int]],
        part: int,
    ) -> list[bool]:
        # When a node is the only one that is ready, everything that is left comes after it.
        of = self._part
        waiting = {n: sum(1 for b in before[n] if of[b] == part) for n in nodes}
        ready = sum(1 for count in waiting.values() if not count)
        alone = []
        for node in nodes:
            alone.append(ready == 1)
            ready -= 1
            for follower in after[node]:
                if of[follower] == part:
                    waiting[follower] -= 1
                    if not waiting[follower]:
                        ready += 1
        return alone

    def _between(self, nodes: list[int], depth: int) -> Shape:
        components = self._components(nodes)
        if len(components) == 1 or depth >= _DEEPEST:
            return Tangle(nodes)
        return Fork([self.shape(component, depth + 1) for component in components])

    def _components(self, nodes: list[int]) -> list[list[int]]:
        """Split into connected components, each in the given order."""
        part = self._new_part(nodes)
        found: dict[int, int] = {}
        count = 0
        for start in nodes:
            if start in found:
                continue
            found[start] = count
            reached = [start]
            for node in reached:
                for near in (*self._before[node], *self._after[node]):
                    if self._part[near] == part and near not in found:
                        found[near] = count
                        reached.append(near)
            count += 1
        components: list[list[int]] = [[] for _ in range(count)]
        for node in nodes:
            components[found[node]].append(node)
        return components
