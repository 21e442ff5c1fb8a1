"""A coloured graph -> colours that tell apart whatever its structure tells apart.

Two events with the same words may still differ: one belongs to the job that failed. Their order
must not come from ids, clocks or arrival, so it comes from structure: colour refinement
(Weisfeiler and Leman 1968) with ordered cells and Hopcroft's smaller half, as in McKay's nauty
("Practical graph isomorphism", 1981). Every step depends on colours only, so the same graph gives
the same colours however its vertices are numbered. What stays equal is exchangeable; choosing one
and colouring on makes all later choices follow from the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

__all__ = ["Partition"]


class Partition:
    """Colours of vertices; a vertex's colour only ever grows.

    :param ranks: the first colour of each vertex, from 0.
    :param neighbours: for each vertex its edges, each as one number: the kind of the edge times
        the count of vertices, plus the neighbour.
    """

    def __init__(self, ranks: Sequence[int], neighbours: Sequence[Sequence[int]]) -> None:
        self.colour = list(ranks)
        self._neighbours = neighbours
        self._cells: dict[int, set[int]] = {}
        for vertex, rank in enumerate(ranks):
            self._cells.setdefault(rank, set()).add(vertex)
        self._next = max(ranks, default=-1) + 1
        self._refine(sorted(self._cells))

    def single_out(self, vertex: int) -> None:
        """Give a vertex a colour of its own, and colour on from there."""
        cell = self._cells[self.colour[vertex]]
        if len(cell) > 1:
            cell.discard(vertex)
            self._refine([self._new_cell({vertex})])

    def _new_cell(self, vertices: set[int]) -> int:
        colour = self._next
        self._next += 1
        self._cells[colour] = vertices
        for vertex in vertices:
            self.colour[vertex] = colour
        return colour

    def _refine(self, colours: Iterable[int]) -> None:
        waiting = deque(colours)
        queued = set(waiting)
        while waiting:
            splitter = waiting.popleft()
            queued.discard(splitter)
            for cell, groups in self._touched(splitter):
                for colour in self._split(cell, groups, is_queued=cell in queued):
                    if colour not in queued:
                        queued.add(colour)
                        waiting.append(colour)

    def _touched(self, splitter: int) -> list[tuple[int, dict[tuple[int, ...], set[int]]]]:
        """Group what neighbours the splitter, cell by cell, by how it does."""
        kinds: dict[int, list[int]] = {}
        count = len(self.colour)
        for vertex in self._cells[splitter]:
            for edge in self._neighbours[vertex]:
                neighbour = edge % count
                # Vertices that nothing could tell apart any more are not worth the work.
                if len(self._cells[self.colour[neighbour]]) > 1:
                    kinds.setdefault(neighbour, []).append(edge - neighbour)
        cells: dict[int, dict[tuple[int, ...], set[int]]] = {}
        for vertex, found in kinds.items():
            found.sort()
            cells.setdefault(self.colour[vertex], {}).setdefault(tuple(found), set()).add(vertex)
        return sorted(cells.items(), key=lambda entry: entry[0])

    def _split(
        self, cell: int, groups: dict[tuple[int, ...], set[int]], *, is_queued: bool
    ) -> list[int]:
        """Split a cell into its groups; return what must split others in turn."""
        members = self._cells[cell]
        parts = [groups[kinds] for kinds in sorted(groups)]
        touched = sum(map(len, parts))
        if touched == len(members):
            if len(parts) == 1:
                return []
            # The largest keeps the colour: it need not be visited again.
            stays = max(range(len(parts)), key=lambda n: (len(parts[n]), -n))
            self._cells[cell] = parts.pop(stays)
        else:
            for part in parts:
                members -= part
        colours = [cell, *map(self._new_cell, parts)]
        if is_queued:
            return colours[1:]
        largest = max(range(len(colours)), key=lambda n: (len(self._cells[colours[n]]), -n))
        del colours[largest]
        return colours
