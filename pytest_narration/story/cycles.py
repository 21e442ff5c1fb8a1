"""Edges that contradict each other -> which of them to ignore, so that an order exists.

Program order never contradicts itself, so only links across lines of work are given up: first
those that lead from furthest back in their line to furthest ahead, which is how a wrong cause
looks. What is ignored is reported; the choice depends on the edges alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

__all__ = ["broken_rings"]

_MOST_ROUNDS = 50

Edge = tuple[int, int]


def broken_rings(count: int, program: Iterable[Edge], crossing: Iterable[Edge]) -> set[Edge]:
    """Return the crossing edges without which the graph has no ring."""
    program = list(program)
    kept = set(crossing)
    given_up: set[Edge] = set()
    left = _unordered(count, [*program, *kept])
    if not left:
        return given_up
    place = _places(left, program)
    for _ in range(_MOST_ROUNDS):
        component = _components(left, [e for e in (*program, *kept) if e[0] in left])
        ringed = [e for e in kept if _inside(e, component)]
        worst = max(place[source] - place[target] for source, target in ringed)
        chosen = {(s, t) for s, t in ringed if place[s] - place[t] == worst}
        given_up |= chosen
        kept -= chosen
        left = _unordered(count, [*program, *kept])
        if not left:
            return given_up
    return given_up | {e for e in kept if _inside(e, _components(left, [*program, *kept]))}


def _inside(edge: Edge, component: dict[int, int]) -> bool:
    source, target = edge
    return source in component and component[source] == component.get(target)


def _unordered(count: int, edges: Iterable[Edge]) -> set[int]:
    """Kahn's algorithm, from both ends; return the nodes on rings and between rings."""
    alive = set(range(count))
    edges = list(edges)
    for forward in (True, False):
        after: dict[int, list[int]] = {}
        waiting: dict[int, int] = {}
        for source, target in edges:
            a, b = (source, target) if forward else (target, source)
            if a in alive and b in alive:
                after.setdefault(a, []).append(b)
                waiting[b] = waiting.get(b, 0) + 1
        ready = [node for node in alive if not waiting.get(node)]
        while ready:
            node = ready.pop()
            alive.discard(node)
            for follower in after.get(node, ()):
                waiting[follower] -= 1
                if not waiting[follower]:
                    ready.append(follower)
    return alive


def _places(left: set[int], program: Iterable[Edge]) -> dict[int, Fraction]:
    """Say for each node how far along its line of work it is, from 0 to 1."""
    follows: dict[int, int] = {}
    preceded: set[int] = set()
    for source, target in program:
        if source in left and target in left:
            follows[source] = target
            preceded.add(target)
    place: dict[int, Fraction] = {}
    for start in left - preceded:
        line = [start]
        while line[-1] in follows:
            line.append(follows[line[-1]])
        for index, node in enumerate(line):
            place[node] = Fraction(index + 1, len(line) + 1)
    return {node: place.get(node, Fraction(1, 2)) for node in left}


def _components(left: set[int], edges: Iterable[Edge]) -> dict[int, int]:
    """Tarjan's strongly connected components without recursion: ``{node: component}``."""
    after: dict[int, list[int]] = {node: [] for node in left}
    for source, target in edges:
        if source in left and target in left:
            after[source].append(target)
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    component: dict[int, int] = {}
    stack: list[int] = []
    for root in left:
        if root in number:
            continue
        work = [(root, iter(after[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        while work:
            node, followers = work[-1]
            for follower in followers:
                if follower not in number:
                    number[follower] = low[follower] = len(number)
                    stack.append(follower)
                    work.append((follower, iter(after[follower])))
                    break
                if follower not in component:
                    low[node] = min(low[node], number[follower])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    while True:
                        member = stack.pop()
                        component[member] = node
                        if member == node:
                            break
    return component
