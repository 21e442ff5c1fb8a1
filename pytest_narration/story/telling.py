"""Nodes and their order -> the told story: canonical order, names, lines.

The same story comes out whatever the arrival order, the ids and the clocks were: events with
equal words are told apart by structure (:mod:`.partition`), and ids get their numbers in the order
in which the story mentions them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from .choice import Choice
from .items import Item, Job, Lane, Line
from .links import Links
from .loops import Cell, Part, Told, collapsed, items_of, line_cell, parallel_cell
from .names import JOB, Naming, Slot, slots_of
from .nodes import CHANNELS, Node
from .partition import Partition
from .redaction import Redactions
from .shape import Fork, Shape, Tangle, shape_of, topological
from .words import Id, Piece, Value, pieces

__all__ = ["Teller"]

_CAUSES, _EFFECTS = 0, 1
"""Kinds of edges between events; ids have the kinds after these."""


class Teller:
    """Tells one story; made for one telling.

    :param counted: whether repeats show their number.
    """

    def __init__(
        self, nodes: Sequence[Node], links: Links, redactions: Redactions, *, counted: bool = True
    ) -> None:
        self._nodes = nodes
        self._before = links.before
        self._after = links.after
        self._counted = counted
        kept: dict[tuple[Piece, ...], tuple[Piece, ...]] = {}
        said = (pieces(n.template, n.values, n.text, redactions) for n in nodes)
        self._said = [kept.setdefault(found, found) for found in said]
        shared: dict[Slot, Slot] = {}
        self._slots = [
            tuple([shared.setdefault(slot, slot) for slot in slots_of(node, found)])
            if node.is_shown
            else ()
            for node, found in zip(nodes, self._said, strict=True)
        ]
        self._ranks = self._ranked()
        self.naming = Naming(nodes, self._slots)
        self._partition = self._coloured()
        self.told_at: dict[int, int] = {}
        """``{node: its place in the canonical order}``."""

    def tell(self) -> tuple[Item, ...]:
        """Return the story's items."""
        order = topological(self._before, self._after)
        shapes = shape_of(order, self._before, self._after)
        return items_of(collapsed(self._walk(shapes)), counted=self._counted)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The emitters, in order of appearance."""
        return self.naming.lanes

    def jobs(self) -> tuple[Job, ...]:
        """The jobs in order of appearance, with what their events say about their place."""
        found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        for node in map(self._nodes.__getitem__, self.told_at):
            if node.job is None or not node.is_shown:
                continue
            parents, correlations = found.setdefault(self.naming.text(node.job), ({}, {}))
            if node.parent_job is not None:
                parents[self.naming.text(node.parent_job)] = None
            if node.correlation is not None:
                correlations[self.naming.text(node.correlation)] = None
        return tuple(Job(name, tuple(p), tuple(c)) for name, (p, c) in found.items())

    def sentence(self, node: int) -> str:
        """Return what a node said, with names for ids."""
        return "".join(
            str(part) if not isinstance(part, Value) else part.text for part in self._parts(node)
        )

    # Colours

    def _ranked(self) -> list[int]:
        """Rank the nodes by who says what; nodes that say the same have the same rank."""
        labels: dict[tuple[object, ...], int] = {}
        of = []
        for node, said in zip(self._nodes, self._said, strict=True):
            label: tuple[object, ...] = ("",)
            if node.is_shown:
                words = tuple(_comparable(piece) for piece in said)
                label = (
                    *(node.service, node.actor, node.action, node.template or "", words),
                    *(node.level, node.channels),
                )
            of.append(labels.setdefault(label, len(labels)))
        rank = {number: rank for rank, (_, number) in enumerate(sorted(labels.items()))}
        return [rank[number] for number in of]

    def _coloured(self) -> Partition:
        """Colour events and ids by structure; ids come after the events."""
        ranks = list(self._ranks)
        highest = max(ranks, default=0) + 1
        ids = self.naming.values
        ranks += [highest + self.naming.rank(value) for value in ids]
        position = {value: len(self._nodes) + n for n, value in enumerate(ids)}
        roles = sorted({slot.role for slots in self._slots for slot in slots})
        kind_of = {role: _EFFECTS + 1 + n for n, role in enumerate(roles)}
        count = len(ranks)
        near: list[list[int]] = [[] for _ in ranks]
        for node, slots in enumerate(self._slots):
            edges = near[node]
            edges += [_CAUSES * count + other for other in self._before[node]]
            edges += [_EFFECTS * count + other for other in self._after[node]]
            for role, _, value in slots:
                edges.append(kind_of[role] * count + position[value])
                near[position[value]].append(kind_of[role] * count + node)
        # Numbers side by side: as objects they would be most of what a story takes.
        return Partition(ranks, [array("q", edges) for edges in near])

    # Order

    def _walk(self, shapes: Iterable[Shape]) -> list[Cell]:
        cells: list[Cell] = []
        for shape in shapes:
            if isinstance(shape, int):
                cells += self._tell(shape)
            elif isinstance(shape, Tangle):
                for node in self._untangled(shape.nodes):
                    cells += self._tell(node)
            else:
                branches = [branch for branch in self._branches(shape) if branch]
                if len(branches) == 1:
                    cells += branches[0]
                elif branches:
                    cells.append(parallel_cell(branches))
        return cells

    def _branches(self, fork: Fork) -> Iterator[list[Cell]]:
        """Tell the branches, by their words first and by structure where words are equal."""
        entries = [(tuple(self._words(branch)), branch) for branch in fork.branches]
        for branch in Choice(entries, self._face):
            yield collapsed(self._walk(branch))

    def _words(self, shapes: Iterable[Shape]) -> list[int]:
        """Return ranks that sort branches like their lines."""
        found: list[int] = []
        for shape in shapes:
            if isinstance(shape, int):
                found.append(self._ranks[shape])
            elif isinstance(shape, Tangle):
                found += sorted(self._ranks[node] for node in shape.nodes)
            else:
                for key in sorted(self._words(branch) for branch in shape.branches):
                    found += key
        return found

    def _face(self, shapes: Sequence[Shape]) -> int:
        """Return the colour that stands for a branch: of what it begins with."""
        shape = shapes[0]
        if isinstance(shape, int):
            return self._partition.colour[shape]
        if isinstance(shape, Tangle):
            first = min(self._ranks[node] for node in shape.nodes)
            return max(self._partition.colour[n] for n in shape.nodes if self._ranks[n] == first)
        return max(map(self._face, shape.branches))

    def _untangled(self, nodes: list[int]) -> Iterator[int]:
        """Order a tangle: the longest line of work first, others where they are needed.

        A short branch that joins, such as a cancellation, stands right before what it led to.
        """
        inside = set(nodes)
        causes = {n: [b for b in self._before[n] if b in inside] for n in nodes}
        length: dict[int, int] = {}
        for node in nodes:
            # Runs of one point count once: how long a loop ran must not turn the story around.
            length[node] = max(
                (length[c] + (self._ranks[c] != self._ranks[node]) for c in causes[node]),
                default=0,
            )
        colour = self._partition.colour.__getitem__

        def choice(found: Iterable[int]) -> Choice[int]:
            return Choice((((-length[n], self._ranks[n]), n) for n in found), colour)

        done: set[int] = set()
        for end in choice(n for n in nodes if inside.isdisjoint(self._after[n])):
            stack = [(end, choice(causes[end]))]
            while stack:
                node, left = stack[-1]
                cause = next((c for c in left if c not in done), None)
                if cause is None:
                    stack.pop()
                    done.add(node)
                    yield node
                else:
                    stack.append((cause, choice(causes[cause])))

    # Words

    def _tell(self, number: int) -> list[Cell]:
        self.told_at[number] = len(self.told_at)
        self._partition.single_out(number)
        node = self._nodes[number]
        if not node.is_shown:
            return []
        lane = self.naming.lane(node)
        parts = self._parts(number)
        for slot in self._slots[number]:
            if slot.role in JOB:
                self.naming.name(slot.value)
        line = Line(
            lane=lane,
            actor=node.actor,
            action=node.action,
            said="",
            level=node.level,
            channels=tuple(c for n, c in enumerate(CHANNELS) if node.channels >> n & 1),
            caller=self._caller(number, lane),
        )
        job = self.naming.name(node.job) if node.job is not None else None
        return [line_cell(Told(line, parts, job))]

    def _parts(self, number: int) -> tuple[Part, ...]:
        name = self.naming.name
        return tuple(
            name(piece.value) if isinstance(piece, Id) else piece for piece in self._said[number]
        )

    def _caller(self, number: int, lane: str) -> str:
        """Return the lane of the latest event that caused this one from another lane."""
        causes = [c for c in self._before[number] if self._nodes[c].is_shown]
        callers = {self.told_at[c]: self.naming.lane(self._nodes[c]) for c in causes}
        return next(
            (callers[at] for at in sorted(callers, reverse=True) if callers[at] != lane), ""
        )


def _comparable(piece: Piece) -> tuple[str, ...]:
    if isinstance(piece, Id):
        return ("id", piece.kind)
    return ("value", *piece) if isinstance(piece, Value) else ("text", piece)
