"""Registrations and heartbeats -> which nodes live, and what each can take.

A node that misses heartbeats is lost: nothing more is placed on it, and its next heartbeat brings
it back. Jobs that run there are not this registry's business; their own connections tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_narration.emit import narrate

from ..web import ApiError

__all__ = ["Node", "NodeRegistry"]

_ACTOR = "node-registry"


@dataclass(slots=True, eq=False)
class Node:
    """One pool manager, as the control plane knows it."""

    id: str
    address: str
    pool_id: str
    instance: str
    heartbeat: float
    """Seconds between its heartbeats."""
    slots: int = 0
    """Jobs that its ready workers can run at once."""
    running: int = 0
    """Jobs of ours that run there."""
    is_lost: bool = False
    is_accepting: bool = True
    """False after it refused a job or a connection, until it speaks again."""
    seen: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Jobs that can be placed here at this moment."""
        usable = self.is_accepting and not self.is_lost
        return max(0, self.slots - self.running) if usable else 0

    @property
    def state(self) -> str:
        """``lost``, ``ready`` or ``starting`` (no worker is ready)."""
        if self.is_lost:
            return "lost"
        return "ready" if self.slots else "starting"

    def shown(self) -> dict[str, Any]:
        """Return what ``GET /v2/nodes`` says."""
        return {
            "node_id": self.id,
            "pool_id": self.pool_id,
            "instance": self.instance,
            "address": self.address,
            "state": self.state,
            "slots": self.slots,
            "slots_free": self.free,
            "jobs_running": self.running,
            **self.facts,
        }


class NodeRegistry:
    """The nodes of the cluster; belongs to the event loop.

    :param missed_limit: heartbeats in a row whose absence makes a node lost.
    :param on_capacity: called when a node may take more jobs than before.
    """

    def __init__(
        self,
        *,
        missed_limit: int = 3,
        on_capacity: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_capacity = on_capacity
        self._missed_limit = missed_limit
        self._clock = clock
        self._nodes: dict[str, Node] = {}

    def all(self) -> list[Node]:
        """Return the nodes, by id."""
        return sorted(self._nodes.values(), key=lambda node: node.id)

    def register(self, node: Node) -> None:
        """Add a node, or replace the one that was known under its id."""
        node.seen = self._clock()
        self._nodes[node.id] = node
        narrate(
            "node_register",
            "Registered node {node_id} at {target}",
            actor=_ACTOR,
            node_id=node.id,
            pool_id=node.pool_id,
            target=node.address,
        )

    def heartbeat(self, node_id: str, instance: str, slots: int, facts: dict[str, Any]) -> Node:
        """Take a sign of life and what the node can do.

        :raises ApiError: 404, the node must register (again).
        """
        node = self._nodes.get(node_id)
        if node is None or node.instance != instance:
            raise ApiError("not_found", "this node is not registered")
        before, node.slots, node.facts = node.slots, slots, facts
        node.seen = self._clock()
        node.is_accepting = True
        if node.is_lost:
            node.is_lost = False
            narrate("node_return", "Node {node_id} is back", actor=_ACTOR, node_id=node.id)
        if slots and not before:
            narrate(
                "node_ready",
                "Node {node_id} is ready with {slots} slots",
                actor=_ACTOR,
                node_id=node.id,
                slots=slots,
            )
        elif before and not slots:
            narrate(
                "node_unready",
                "Node {node_id} has no ready worker",
                actor=_ACTOR,
                level="warn",
                node_id=node.id,
            )
        if node.free:
            self.on_capacity()
        return node

    def deregister(self, node_id: str) -> None:
        """Forget a node that says goodbye.

        :raises ApiError: 404, it is unknown.
        """
        if self._nodes.pop(node_id, None) is None:
            raise ApiError("not_found", "this node is not registered")
        narrate("node_deregister", "Deregistered node {node_id}", actor=_ACTOR, node_id=node_id)

    def best(self) -> Node | None:
        """Return the live node with most free slots; of equal ones the first by id."""
        free = [node for node in self.all() if node.free]
        return max(free, key=lambda node: node.free) if free else None

    def alive(self, node: Node) -> None:
        """Take traffic from the node as a sign of life."""
        node.seen = self._clock()

    def check(self, slack: float = 0.0) -> None:
        """Mark nodes lost whose heartbeats are missing.

        :param slack: seconds by which this check itself is late: a busy control plane must not
            blame its nodes.
        """
        for node in self._nodes.values():
            patience = node.heartbeat * (self._missed_limit + 0.5) + slack
            if not node.is_lost and self._clock() - node.seen > patience:
                node.is_lost = True
                narrate(
                    "node_lost",
                    "Lost node {node_id} after {missed} missed heartbeats",
                    actor=_ACTOR,
                    level="warn",
                    node_id=node.id,
                    missed=self._missed_limit,
                )

    async def watch(self, every: float = 0.2) -> None:
        """Check until cancelled."""
        due = self._clock()
        while True:
            due += every
            await asyncio.sleep(max(0.0, due - self._clock()))
            late = self._clock() - due
            if late > every:
                # Heartbeats that arrived meanwhile wait in the same loop behind this check.
                due = self._clock()
                for node in self._nodes.values():
                    node.seen += late
                continue
            self.check()
