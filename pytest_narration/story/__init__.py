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

from collections.abc import Callable, Collection, Iterable

import msgspec

from ..event import Event
from ..recorder import Evidence, Record
from .items import Item, Job, Lane, Line, Loop, Parallel, lines
from .links import link, without_hidden
from .manner import MODES, Manner, Mode, Only
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


class _Told(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]
    lanes: tuple[Lane, ...]
    jobs: tuple[Job, ...]
    problems: tuple[Problem, ...]


class Story:
    """Events in canonical causal order; equal stories are equal objects.

    It does not grow with what it was made of: :meth:`extended` returns a longer one.
    """

    __slots__ = ("_count", "_elsewhere", "_manner", "_sightings", "_told")

    def __init__(
        self,
        sightings: list[tuple[Event, str]],
        manner: Manner,
        elsewhere: Callable[[], Collection[str]],
    ) -> None:
        self._sightings = sightings
        self._manner = manner
        self._elsewhere = elsewhere
        self._told, self._count = _tell(sightings, manner, elsewhere)

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
        :raises ConfigurationError: a value is none of the choices.
        """
        manner = Manner().but(
            mode=mode, redact=redact, only=only, without=without, actions=actions, counted=counted
        )
        return cls(_sightings(evidence), manner, _elsewhere(evidence))

    def retold(
        self,
        *,
        mode: Mode | None = None,
        redact: Redact | Redactions = (),
        only: Only | None = None,
        without: Only | None = None,
        actions: Collection[str] | None = None,
        counted: bool | None = None,
    ) -> Story:
        """Tell the same events in another way, see :meth:`of`; what is not given stays."""
        manner = self._manner.but(
            mode=mode, redact=redact, only=only, without=without, actions=actions, counted=counted
        )
        return Story(self._sightings, manner, self._elsewhere)

    def extended(self, evidence: Evidence | Iterable[Event] | Iterable[Record]) -> Story:
        """Tell these events and more in the same way; in whatever pieces, the story is the same.

        It is told from its beginning: what comes late may belong anywhere.
        """
        mine, more = self._elsewhere, _elsewhere(evidence)
        return Story(
            [*self._sightings, *_sightings(evidence)],
            self._manner,
            lambda: {*mine(), *more()},
        )

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
    manner: Manner,
    elsewhere: Callable[[], Collection[str]],
) -> tuple[_Told, int]:
    shown = manner.shown
    intake = Intake(manner.mode, shown)
    for event, channel in sightings:
        intake.add(event, channel)
    nodes = intake.nodes
    links = link(nodes, intake.by_id)
    if shown is not None:
        without_hidden(links, nodes)
    teller = Teller(nodes, links, manner.redactions, counted=manner.counted)
    items = teller.tell()
    problems = problems_of(nodes, links, teller, elsewhere)
    count = sum(node.is_shown for node in nodes)
    return _Told(items, teller.lanes, teller.jobs(), problems), count


def _sightings(
    evidence: Evidence | Iterable[Event] | Iterable[Record],
) -> list[tuple[Event, str]]:
    if isinstance(evidence, Evidence):
        return [(record.event, record.channel) for record in evidence.records()]
    return [
        (entry.event, str(entry.channel)) if isinstance(entry, Record) else (entry, "stdout")
        for entry in evidence
    ]


def _elsewhere(evidence: object) -> Callable[[], Collection[str]]:
    """Return what finds the ids of events that a view leaves out, asked only when one is missed."""
    if not isinstance(evidence, Evidence):
        return frozenset[str]

    def ids() -> set[str]:
        whole = evidence._recorder
        known = {e.event_id for e in whole.events() if e.event_id is not None}
        # A test may name an event of its own as the cause of its request.
        sent = " ".join(x.request_headers.get("tracestate", "") for x in whole.exchanges)
        return known | {
            word for word in sent.replace("=", ";").replace(",", ";").split(";") if word
        }

    return ids
