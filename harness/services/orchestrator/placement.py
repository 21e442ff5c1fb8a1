"""Waiting jobs and free slots -> who runs where, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque

from .nodes import Node, NodeRegistry

__all__ = ["Scheduler", "Ticket"]

Ticket = asyncio.Future[Node | None]
"""A place in the queue: resolves to the node, or to ``None`` when the job does not want it."""


class Scheduler:
    """Hands out slots; belongs to the event loop."""

    def __init__(self, nodes: NodeRegistry) -> None:
        self._nodes = nodes
        self._queue: deque[Ticket] = deque()
        nodes.on_capacity = self.pump

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    def take(self) -> Node | None:
        """Return a node with its slot taken, unless all are busy or others wait for one."""
        if self._queue:
            return None
        node = self._nodes.best()
        if node is not None:
            node.running += 1
        return node

    def queue(self, *, first: bool = False) -> tuple[Ticket, int]:
        """Join the queue; return the ticket and its position, from 1.

        :param first: a job whose node refused it does not lose its turn.
        """
        ticket: Ticket = asyncio.get_running_loop().create_future()
        if first:
            self._queue.appendleft(ticket)
            return ticket, 1
        self._queue.append(ticket)
        return ticket, len(self._queue)

    def leave(self, ticket: Ticket) -> None:
        """Give up a place; a slot that the ticket already got goes to the next."""
        if ticket in self._queue:
            self._queue.remove(ticket)
        elif ticket.done() and not ticket.cancelled():
            node = ticket.result()
            if node is not None:
                self.release(node)

    def release(self, node: Node) -> None:
        """Give a slot back."""
        node.running -= 1
        self.pump()

    def pump(self) -> None:
        """Give free slots to whoever waits."""
        while self._queue:
            if self._queue[0].done():
                self._queue.popleft()
                continue
            node = self._nodes.best()
            if node is None:
                return
            node.running += 1
            self._queue.popleft().set_result(node)
