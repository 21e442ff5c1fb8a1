"""Evidence -> the same evidence with the indexes that rules share, built on first use.

A check makes one :class:`Facts` and hands it to every rule, so that sixteen rules read the story
about as often as one. It reads like any other evidence; a user's rule may ignore the indexes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from ..event import Event
from ..wire import Rejected
from .evidence import Ending, Evidence, Exchange, Frame, PointLike, Record
from .jobs import Job, JobTree

__all__ = ["Facts", "emitter"]

_MAX_WALK = 32


class Facts:
    """What was seen, and what follows from it.

    :param evidence: what is judged: a recorder, a view of one.
    :param points: a catalog's points, for rules about declared channels.
    :param whole: what the evidence is a part of. Ids that point outside of the part are looked up
        there, and lost lines are told from lines of other requests.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        points: Iterable[PointLike] = (),
        whole: Evidence | None = None,
    ) -> None:
        self._evidence = evidence
        self.points = tuple(points)
        self.whole = None if whole is evidence else whole

    # The evidence itself

    def records(self, **where: Any) -> list[Record]:
        """Return sightings in arrival order; without conditions the shared list: do not change."""
        return self._evidence.records(**where) if where else self._records

    def events(self, **where: Any) -> list[Event]:
        """Return events in order of first sight, each id once; see :meth:`records`."""
        return self._evidence.events(**where) if where else self._events

    def frames(self, stream: str | None = None) -> list[Frame]:
        """Return SSE frames in arrival order."""
        return self._evidence.frames(stream) if stream is not None else self._frames

    @cached_property
    def rejected(self) -> list[Rejected]:
        """Lines that could not be read as events."""
        return list(self._evidence.rejected)

    @cached_property
    def endings(self) -> list[Ending]:
        """How sources ended so far."""
        return list(self._evidence.endings)

    @cached_property
    def exchanges(self) -> list[Exchange]:
        """HTTP calls that the test made."""
        return list(self._evidence.exchanges)

    # What follows from it

    @cached_property
    def _records(self) -> list[Record]:
        return self._evidence.records()

    @cached_property
    def _frames(self) -> list[Frame]:
        return self._evidence.frames()

    @cached_property
    def _events(self) -> list[Event]:
        seen: set[str] = set()
        events = []
        for record in self._records:
            event = record.event
            if event.event_id is None:
                events.append(event)
            elif event.event_id not in seen:
                seen.add(event.event_id)
                events.append(event)
        return events

    @cached_property
    def by_id(self) -> dict[str, Event]:
        """``{event_id: Event}``."""
        return {event.event_id: event for event in self._events if event.event_id is not None}

    @cached_property
    def tree(self) -> JobTree:
        """The jobs and how they descend from each other."""
        return JobTree(self._events)

    @cached_property
    def spans(self) -> dict[str, Event]:
        """``{span_id: first event in it}``."""
        spans: dict[str, Event] = {}
        for event in self._events:
            if event.span_id is not None and event.span_id not in spans:
                spans[event.span_id] = event
        return spans

    @cached_property
    def stdout(self) -> list[Record]:
        """Sightings on stdout, in arrival order."""
        return [record for record in self._records if record.channel == "stdout"]

    @cached_property
    def sse(self) -> list[Record]:
        """Sightings on SSE streams, in arrival order."""
        return [record for record in self._records if record.channel == "sse"]

    @cached_property
    def channels(self) -> dict[str, set[str]]:
        """``{source: channels that it delivered}``."""
        channels: dict[str, set[str]] = {}
        for record in self._records:
            if record.source not in channels:
                channels[record.source] = set()
            channels[record.source].add(record.channel)
        for frame in self._frames:
            channels.setdefault(frame.source, set()).add("sse")
        return channels

    @cached_property
    def sent_headers(self) -> list[dict[str, str]]:
        """Headers that the test itself sent, names in lower case."""
        return [exchange.request_headers for exchange in self.exchanges]

    @cached_property
    def given_jobs(self) -> set[str]:
        """Job ids that the test itself named as a parent: no service narrates them."""
        return {h["x-parent-job-id"] for h in self.sent_headers if "x-parent-job-id" in h}

    def job(self, id: str | None) -> Job | None:
        """Return a job, looked up in the whole when the part does not have it."""
        if id is None:
            return None
        return self.tree.get(id) or (self._outside(id) if self.whole is not None else None)

    def _outside(self, id: str) -> Job | None:
        assert self.whole is not None
        if id not in self._looked_up:
            self._looked_up[id] = JobTree(self.whole.events(job_id=id)).get(id)
        return self._looked_up[id]

    @cached_property
    def _looked_up(self) -> dict[str, Job | None]:
        return {}

    @cached_property
    def known_ids(self) -> set[str]:
        """Event ids that were seen anywhere, in the whole too."""
        if self.whole is None:
            return set(self.by_id)
        return {e.event_id for e in self.whole.events() if e.event_id is not None}

    @cached_property
    def jobs_under(self) -> dict[tuple[str | None, str], list[str]]:
        """``{(correlation_id, service): ids of its jobs}``."""
        under: dict[tuple[str | None, str], list[str]] = {}
        for job in self.tree.jobs.values():
            for correlation_id in job.correlations:
                for service in job.services:
                    under.setdefault((correlation_id, service), []).append(job.id)
        return under

    def upstream(self, event: Event) -> Event | None:
        """Return the event that the caller narrated, as far as links lead to it.

        The parent job is the surest link, then the parent span, then a cause at another emitter.
        """
        job = self.tree.get(event.job_id)
        parent = self.job(event.parent_job_id or (job.parent if job else None))
        if parent is not None and parent is not job:
            return parent.first
        return self.upstream_by_cause(event)

    def upstream_by_cause(self, event: Event) -> Event | None:
        """Return the caller's event as the parent span or a cause tells, whatever jobs say."""
        span = self.spans.get(event.parent_span_id) if event.parent_span_id else None
        if span is not None and emitter(span) != emitter(event):
            return span
        # A job begins inside of its request, so the link may sit on an earlier event of the same
        # emitter: walk back, but never further than a request's first steps.
        ahead, seen = list(event.cause), set(event.cause)
        for cause_id in ahead:
            cause = self.by_id.get(cause_id)
            if cause is None:
                continue
            if emitter(cause) != emitter(event):
                return cause
            if len(ahead) < _MAX_WALK:
                ahead += [c for c in cause.cause if c not in seen]
                seen.update(cause.cause)
        return None


def emitter(event: Event) -> tuple[str | None, str | None]:
    """Return what tells one running instance from another: its service and instance."""
    return event.service, event.instance
