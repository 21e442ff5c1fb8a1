"""What a story's links say that cannot be: causes that nobody saw, events before their cause."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from .links import Links
from .nodes import Node

if TYPE_CHECKING:
    from .telling import Teller

__all__ = ["Problem", "problems_of"]


class Problem(msgspec.Struct, frozen=True):
    """One contradiction or gap, told with the names of the story."""

    kind: str
    """``missing cause`` or ``contradicted cause``."""
    text: str
    events: tuple[str, ...] = ()
    """The ids of the events that it is about; they differ from run to run."""

    def __eq__(self, other: object) -> bool:
        """Compare what is told: ids differ between runs of one story."""
        if not isinstance(other, Problem):
            return NotImplemented
        return (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        return hash((self.kind, self.text))


def problems_of(
    nodes: Sequence[Node],
    links: Links,
    teller: Teller,
    elsewhere: Callable[[], Collection[str]],
) -> tuple[Problem, ...]:
    """Return the problems in the order in which the story comes to them."""
    found: list[tuple[int, Problem]] = []
    known = elsewhere() if links.unseen else ()
    for node, event_id in links.unseen:
        if event_id not in known:
            text = f"{_who(nodes, node, teller)} names a cause that nobody delivered"
            ids = (nodes[node].event_id or "", event_id)
            found.append((teller.told_at[node], Problem("missing cause", text, ids)))
    for cause, effect in links.contradicted:
        if cause == effect:
            text = f"{_who(nodes, effect, teller)} names itself as its cause"
        else:
            text = (
                f"{_who(nodes, effect, teller)} names as its cause what came after it: "
                f"{_who(nodes, cause, teller)}"
            )
        ids = (nodes[effect].event_id or "", nodes[cause].event_id or "")
        found.append((teller.told_at[effect], Problem("contradicted cause", text, ids)))
    found.sort(key=lambda entry: (entry[0], entry[1].kind, entry[1].text))
    told: dict[Problem, list[Problem]] = {}
    for _, problem in found:
        told.setdefault(problem, []).append(problem)
    return tuple(_once(problems) for problems in told.values())


def _once(problems: Sequence[Problem]) -> Problem:
    """Say problems that read the same once, with their count."""
    if len(problems) == 1:
        return problems[0]
    events = tuple(dict.fromkeys(e for problem in problems for e in problem.events))
    return Problem(problems[0].kind, f"{problems[0].text} ×{len(problems)}", events)


def _who(nodes: Sequence[Node], number: int, teller: Teller) -> str:
    node = nodes[number]
    lane = teller.naming.lane(node)
    return f"{lane}: {node.actor} `{node.action}` “{teller.sentence(number)}”"
