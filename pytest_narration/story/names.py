"""Ids -> names that keep their identity: ``job:orchestrator#1``, ``worker#2``; lanes likewise.

Numbers are given in the order in which the story mentions the ids, so they are the same in every
run, and a swapped id changes the story.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .items import Lane
from .loops import Names
from .nodes import Node
from .redaction import ID
from .words import Id, Piece

__all__ = ["JOB", "Naming", "Slot", "slots_of"]


class Slot(NamedTuple):
    """What an event has an id for."""

    role: str
    kind: str
    value: str


JOB = ("job", "parent_job", "correlation")
"""Roles of ids that an event carries beside what it says."""

_INSTANCE = "instance"
_TASK = "branch"
_FIRST_KINDS = (_INSTANCE, "job", "correlation", "session", "task", "worker", "node", "pool")
"""When fields of several kinds carry one id, the first of these names it."""


def slots_of(node: Node, said: Iterable[Piece]) -> list[Slot]:
    """Return the ids of an event with their roles, in the order in which they are named."""
    slots: list[Slot] = []
    if node.instance is not None:
        slots.append(Slot(_INSTANCE, _INSTANCE, node.instance))
    if node.task is not None:
        # Never shown, and often made up; what tells events apart is which of them share one.
        slots.append(Slot("task", _TASK, f"{_TASK} {node.task}"))
    slots += [
        Slot(f"said {number:03}", piece.kind, piece.value)
        for number, piece in enumerate(said)
        if isinstance(piece, Id)
    ]
    for role, value in zip(JOB, (node.job, node.parent_job, node.correlation), strict=True):
        if value is not None:
            slots.append(Slot(role, role.removeprefix("parent_"), value))
    return slots


class Naming:
    """Names for the ids of one story."""

    def __init__(self, nodes: Sequence[Node], slots: Sequence[Sequence[Slot]]) -> None:
        self._numbers: dict[str, int] = {}
        self._names: dict[str, Names] = {}
        self._lanes: dict[tuple[str, str | None], Lane] = {}
        self._instances: dict[str, int] = {}
        kinds: dict[str, str] = {}
        owners: dict[str, str] = {}
        for node, found in zip(nodes, slots, strict=True):
            for slot in found:
                known = kinds.get(slot.value)
                if known is None or _precedence(slot.kind) < _precedence(known):
                    kinds[slot.value] = slot.kind
            if node.job is not None:
                owners[node.job] = min(node.service, owners.get(node.job, node.service))
        self._label = {
            value: f"job:{owners[value]}" if kind == "job" and value in owners else kind
            for value, kind in kinds.items()
        }
        self._ranks = {label: n for n, label in enumerate(sorted(set(self._label.values())))}

    @property
    def values(self) -> list[str]:
        """Every id of the story."""
        return list(self._label)

    def rank(self, value: str) -> int:
        """Return a number that is the same for ids of one kind."""
        return self._ranks[self._label[value]]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The emitters in order of appearance."""
        return tuple(self._lanes.values())

    def lane(self, node: Node) -> str:
        """Return the name of a node's emitter, given on first use."""
        key = (node.service, node.instance)
        if key not in self._lanes:
            number = self._instances[node.service] = self._instances.get(node.service, 0) + 1
            label = node.service if number == 1 else f"{node.service} ({number})"
            self._lanes[key] = Lane(label, node.service)
        return self._lanes[key].label

    def name(self, value: str) -> Names:
        """Return an id's name, given on first use."""
        known = self._names.get(value)
        if known is None:
            label = self._label.get(value, ID)
            number = self._numbers[label] = self._numbers.get(label, 0) + 1
            known = self._names[value] = Names(label, number, number)
        return known

    def text(self, value: str) -> str:
        """Return an id's name as text."""
        return str(self.name(value))


def _precedence(kind: str) -> tuple[int, str]:
    if kind in _FIRST_KINDS:
        return _FIRST_KINDS.index(kind), kind
    return len(_FIRST_KINDS) + (kind == ID), kind
