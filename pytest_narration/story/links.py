"""Nodes -> which event directly precedes which: the partial order that a story rests on.

Three sources, never a wall clock. Program order: ``seq`` within one job and branch of an
instance; without a job, within one request's context. Causes: what an event names, and vector
clocks. Where an event names no cause, the span it belongs to began after the first event of the
parent span. Foreign events without ``seq`` are in their arrival order within one emitter and one
span, the last resort.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from .clocks import clock_order
from .cycles import broken_rings
from .nodes import Node

__all__ = ["Links", "link", "without_hidden"]

_MOST_BRIDGED = 256
"""Most orderings that removing one hidden event may add; above it stays as an unseen junction."""


class Links(msgspec.Struct):
    """The partial order, and what contradicts it."""

    before: list[list[int]]
    """For each node its direct predecessors, ascending."""
    after: list[list[int]]
    unseen: list[tuple[int, str]]
    """``(node, event id that it names as its cause and nobody delivered)``."""
    contradicted: list[tuple[int, int]]
    """``(cause, effect)`` that had to be ignored, because the effect came before the cause."""


def link(nodes: Sequence[Node], by_id: dict[str, int]) -> Links:
    """Order the nodes."""
    first, program = _program_order(nodes)
    crossing: set[tuple[int, int]] = set(clock_order(nodes))
    unseen: list[tuple[int, str]] = []
    contradicted: list[tuple[int, int]] = []
    for position, node in enumerate(nodes):
        for event_id in node.cause:
            source = by_id.get(event_id)
            if source is None:
                unseen.append((position, event_id))
            elif source == position:
                contradicted.append((position, position))
            else:
                crossing.add((source, position))
    crossing.update(_parenthood(nodes, first))
    crossing.difference_update(program)
    broken = broken_rings(len(nodes), program, crossing)
    contradicted += sorted(broken)
    before: list[list[int]] = [[] for _ in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for edges in (program, crossing - broken if broken else crossing):
        for source, target in edges:
            before[target].append(source)
            after[source].append(target)
    return Links(before, after, unseen, contradicted)


def _program_order(nodes: Sequence[Node]) -> tuple[list[bool], set[tuple[int, int]]]:
    """Return which nodes are the first of their line of work, and the order within the lines."""
    lanes: dict[tuple[Any, ...], list[int]] = {}
    for position, node in enumerate(nodes):
        if node.clock is None:
            lanes.setdefault(_line_of_work(node), []).append(position)
    first = [False] * len(nodes)
    edges: set[tuple[int, int]] = set()
    for positions in lanes.values():
        numbers = [nodes[p].seq for p in positions]
        if numbers[0] is not None:
            positions.sort(key=lambda p: nodes[p].seq or 0)
        groups: list[list[int]] = []
        for position in positions:
            number = nodes[position].seq
            # A number that comes twice orders neither of the two: provenance reports it.
            if groups and number is not None and number == nodes[groups[-1][0]].seq:
                groups[-1].append(position)
            else:
                groups.append([position])
        for position in groups[0]:
            first[position] = True
        for earlier, later in pairwise(groups):
            edges.update((a, b) for a in earlier for b in later)
    return first, edges


def _line_of_work(node: Node) -> tuple[Any, ...]:
    if node.seq is None:
        return (False, node.service, node.instance, node.trace, node.span, node.job,
                node.correlation if node.job is None else None, node.task)  # fmt: skip
    if node.job is not None:
        return (True, node.service, node.instance, node.job, node.task)
    # Two requests of one correlation are two lines of work, each with a span of its own.
    return (True, node.service, node.instance, None, node.task, node.correlation, node.span)


def _parenthood(nodes: Sequence[Node], first: Sequence[bool]) -> Iterable[tuple[int, int]]:
    """Yield the order between spans, for what begins a line of work without naming a cause."""
    spans: dict[tuple[str | None, str], list[int]] = {}
    for position, node in enumerate(nodes):
        if node.span is not None and first[position]:
            spans.setdefault((node.trace, node.span), []).append(position)
    for position, node in enumerate(nodes):
        if node.parent_span is None or node.cause or not first[position]:
            continue
        begins = spans.get((node.trace, node.parent_span), [])
        if len(begins) > 1:
            begins = [b for b in begins if nodes[b].job == node.parent_job] or begins
        if len(begins) > 1:
            # Several lines of work in the parent span: the one that none of the others caused.
            begins = [b for b in begins if not nodes[b].cause] or begins
        if len(begins) == 1 and begins[0] != position:
            yield begins[0], position


def without_hidden(links: Links, nodes: Sequence[Node]) -> None:
    """Bridge the nodes that are not shown, so that what is shown keeps its order."""
    before = [set(found) for found in links.before]
    after = [set(found) for found in links.after]
    for position, node in enumerate(nodes):
        if node.is_shown or len(before[position]) * len(after[position]) > _MOST_BRIDGED:
            continue
        for source in before[position]:
            after[source].discard(position)
            after[source] |= after[position]
        for target in after[position]:
            before[target].discard(position)
            before[target] |= before[position]
        before[position], after[position] = set(), set()
    links.before = [sorted(found) for found in before]
    links.after = [sorted(found) for found in after]
