"""Events -> a story: everything that was narrated, in an order that never depends on timing.

A pure fold. Events form a partial order (:mod:`.links`); the story tells them in a canonical
order that says what ran side by side (:mod:`.shape`), with names for ids and repeats said once.
Clocks, interleavings, arrival order, machines and repeated delivery change nothing. Snapshots
approve stories; anybody may print one.

::

    story = Story.of(recorder.for_correlation("checkout-7f3a"))
    print(story)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import msgspec

from ..event import Event
from ..recorder import Evidence, Record
from ..recorder.where import Where
from .items import Item, Job, Lane, Line, Loop, Parallel, lines
from .links import link, without_hidden
from .nodes import Intake
from .plain import plain
from .problems import Problem, problems_of
from .redaction import Redact, Redactions
from .telling import Teller

__all__ = [
    "MODES",
    "Item",
    "Job",
    "Lane",
    "Line",
    "Loop",
    "Mode",
    "Only",
    "Parallel",
    "Problem",
    "Redact",
    "Redactions",
    "Story",
    "lines",
]

Mode = Literal["human", "cute", "story"]
"""Which of an event's three sentences is said; ``human`` where it has no other."""

MODES: tuple[Mode, ...] = ("human", "cute", "story")

Only = Mapping[str, Any] | Callable[[Event], bool]
"""Which events: columns and their values as for :meth:`Evidence.records`, or a function."""


class _Told(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]
    lanes: tuple[Lane, ...]
    jobs: tuple[Job, ...]
    problems: tuple[Problem, ...]


class Story:
    """Events in canonical causal order; equal stories are equal objects.

    It does not grow with what it was made of: make another one.
    """

    __slots__ = ("_count", "_elsewhere", "_sightings", "_told")

    def __init__(
        self,
        sightings: list[tuple[Event, str]],
        told: tuple[_Told, int],
        elsewhere: Callable[[], Collection[str]],
    ) -> None:
        self._sightings = sightings
        self._told, self._count = told
        self._elsewhere = elsewhere

    @classmethod
    def of(
        cls,
        evidence: Evidence | Iterable[Event] | Iterable[Record],
        *,
        mode: Mode = "human",
        redact: Redact | Redactions = (),
        only: Only | None = None,
        without: Only | None = None,
        actions: Collection[str] | None = None,
        counted: bool = True,
    ) -> Story:
        """Fold events into their story.

        :param evidence: a recorder, a view of one, or events in any order. What came before the
            beginning of a view is known, but is not told.
        :param mode: which sentences are said.
        :param redact: more to show by name: fields of templates, patterns in text.
        :param only: the events that are told; the others only order them.
        :param without: events that are not told.
        :param actions: the actions that are told.
        :param counted: ``False`` tells that something repeats, and not how often.
        """
        sightings: list[tuple[Event, str]]
        if isinstance(evidence, Evidence):
            sightings = [(r.event, r.channel) for r in evidence.records()]
            elsewhere = _elsewhere(evidence)
        else:
            sightings = [
                (e.event, str(e.channel)) if isinstance(e, Record) else (e, "stdout")
                for e in evidence
            ]
            elsewhere = frozenset[str]
        shown = _shown(only, without, actions)
        told = _tell(sightings, elsewhere, mode, redact, shown, counted=counted)
        return cls(sightings, told, elsewhere)

    def retold(
        self,
        *,
        mode: Mode = "human",
        redact: Redact | Redactions = (),
        only: Only | None = None,
        without: Only | None = None,
        actions: Collection[str] | None = None,
        counted: bool = True,
    ) -> Story:
        """Tell the same events in another way; see :meth:`of`."""
        shown = _shown(only, without, actions)
        told = _tell(self._sightings, self._elsewhere, mode, redact, shown, counted=counted)
        return Story(self._sightings, told, self._elsewhere)

    @property
    def items(self) -> tuple[Item, ...]:
        """Lines, loops and concurrent blocks."""
        return self._told.items

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The emitters, in order of appearance."""
        return self._told.lanes

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs, in order of appearance."""
        return self._told.jobs

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What contradicts the order or is missing from it; empty for a sound story."""
        return self._told.problems

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines in order, blocks opened."""
        return tuple(lines(self._told.items))

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return self._told == other._told if isinstance(other, Story) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._told)

    def __str__(self) -> str:
        return plain(self._told.items, self._told.problems)

    def __repr__(self) -> str:
        return (
            f"<Story: {len(self)} events, {len(self.lanes)} lanes, {len(self.problems)} problems>"
        )


def _tell(
    sightings: Iterable[tuple[Event, str]],
    elsewhere: Callable[[], Collection[str]],
    mode: str,
    redact: Redact | Redactions,
    shown: Callable[[Event], bool] | None,
    *,
    counted: bool,
) -> tuple[_Told, int]:
    intake = Intake(mode, shown)
    for event, channel in sightings:
        intake.add(event, channel)
    nodes = intake.nodes
    links = link(nodes, intake.by_id)
    if shown is not None:
        without_hidden(links, nodes)
    redactions = redact if isinstance(redact, Redactions) else Redactions.of(redact)
    teller = Teller(nodes, links, redactions, counted=counted)
    items = teller.tell()
    problems = problems_of(nodes, links, teller, elsewhere)
    count = sum(node.is_shown for node in nodes)
    return _Told(items, teller.lanes, teller.jobs(), problems), count


def _shown(
    only: Only | None, without: Only | None, actions: Collection[str] | None
) -> Callable[[Event], bool] | None:
    wanted = _test(only)
    unwanted = _test(without)
    if wanted is None and unwanted is None and actions is None:
        return None
    named = None if actions is None else frozenset(actions)

    def shown(event: Event) -> bool:
        return (
            (named is None or event.action in named)
            and (wanted is None or wanted(event))
            and (unwanted is None or not unwanted(event))
        )

    return shown


def _test(condition: Only | None) -> Callable[[Event], bool] | None:
    if condition is None or not isinstance(condition, Mapping):
        return condition
    where = Where(dict(condition))
    return lambda event: where.matches(Record(event, 0, 0.0))


def _elsewhere(evidence: Evidence) -> Callable[[], Collection[str]]:
    """Return what finds the ids of events that a view leaves out, asked only when one is missed."""

    def ids() -> set[str]:
        whole = evidence._recorder
        known = {e.event_id for e in whole.events() if e.event_id is not None}
        # A test may name an event of its own as the cause of its request.
        sent = " ".join(x.request_headers.get("tracestate", "") for x in whole.exchanges)
        return known | {
            word for word in sent.replace("=", ";").replace(",", ";").split(";") if word
        }

    return ids
