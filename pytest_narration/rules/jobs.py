"""Events -> jobs, and jobs -> the trees that their parent links make.

Built once per check; every question afterwards costs the same however large the story is. The
job rules, the correlation rules and the stream rules stand on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..event import Event
from .words import who

__all__ = ["Job", "JobTree"]


@dataclass(slots=True)
class Job:
    """What the events that carry one job id say about it: first event for each distinct value."""

    id: str
    services: dict[str, Event] = field(default_factory=dict)
    parents: dict[str, Event] = field(default_factory=dict)
    correlations: dict[str, Event] = field(default_factory=dict)
    traces: dict[str, Event] = field(default_factory=dict)

    @property
    def first(self) -> Event:
        """The first event of the job."""
        return next(iter(self.services.values()))

    @property
    def service(self) -> str:
        """The service whose job it is."""
        return next(iter(self.services))

    @property
    def parent(self) -> str | None:
        """The caller's job id."""
        return next(iter(self.parents), None)

    @property
    def correlation_id(self) -> str | None:
        """The correlation id of the job's first event that has one."""
        return next(iter(self.correlations), None)


class JobTree:
    """All jobs by job_id, and who descends from whom."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.jobs: dict[str, Job] = {}
        for event in events:
            if event.job_id:
                self._add(event)
        self._children: dict[str, list[str]] = {}
        for job in self.jobs.values():
            if job.parent is not None:
                self._children.setdefault(job.parent, []).append(job.id)
        self._span: dict[str, tuple[int, int]] = {}
        self._root: dict[str, str] = {}
        self._number()

    def _add(self, event: Event) -> None:
        assert event.job_id is not None
        job = self.jobs.get(event.job_id)
        if job is None:
            job = self.jobs[event.job_id] = Job(event.job_id)
        service = event.service or who(event)
        if service not in job.services:
            job.services[service] = event
        if event.parent_job_id and event.parent_job_id not in job.parents:
            job.parents[event.parent_job_id] = event
        if event.correlation_id and event.correlation_id not in job.correlations:
            job.correlations[event.correlation_id] = event
        if event.trace_id and event.trace_id not in job.traces:
            job.traces[event.trace_id] = event

    def _number(self) -> None:
        """Number the jobs depth first: a descendant's span lies inside its ancestor's."""
        tops = [job_id for job_id in self._children if job_id not in self.jobs]
        tops += [job.id for job in self.jobs.values() if job.parent is None]
        tick = 0
        # Jobs in a cycle are reached from no top; each cycle is entered once, at its first job.
        for top in (*tops, *self.jobs):
            if top in self._span:
                continue
            stack: list[tuple[str, Iterator[str]]] = [(top, iter(self._children.get(top, ())))]
            self._root[top] = top
            opened = {top: tick}
            tick += 1
            while stack:
                job_id, children = stack[-1]
                child = next((c for c in children if c not in opened and c not in self._span), None)
                if child is None:
                    stack.pop()
                    self._span[job_id] = (opened[job_id], tick)
                    tick += 1
                    continue
                self._root[child] = top
                opened[child] = tick
                tick += 1
                stack.append((child, iter(self._children.get(child, ()))))

    def __contains__(self, job_id: str) -> bool:
        return job_id in self.jobs

    def get(self, job_id: str | None) -> Job | None:
        """Return the job with an job_id, ``None`` when no event carries it."""
        return None if job_id is None else self.jobs.get(job_id)

    def is_within(self, job_id: str, ancestor: str) -> bool:
        """Whether a job is another one or descends from it."""
        if job_id == ancestor:
            return True
        inner, outer = self._span.get(job_id), self._span.get(ancestor)
        return (
            inner is not None and outer is not None and outer[0] < inner[0] and inner[1] < outer[1]
        )

    def root(self, job_id: str) -> str:
        """Return the topmost job above a job; it may be one that no event carries."""
        return self._root.get(job_id, job_id)

    def children(self, job_id: str) -> list[str]:
        """Return the ids of the jobs that name a job as their parent."""
        return self._children.get(job_id, [])

    def cycles(self) -> list[list[str]]:
        """Return the rings of jobs that are their own ancestors, each once."""
        found: list[list[str]] = []
        done: set[str] = set()
        for start in self.jobs:
            path: dict[str, None] = {}
            job_id: str | None = start
            while (
                job_id is not None
                and job_id in self.jobs
                and job_id not in done
                and job_id not in path
            ):
                path[job_id] = None
                job_id = self.jobs[job_id].parent
            if job_id is not None and job_id in path:
                ring = list(path)
                found.append(ring[ring.index(job_id) :])
            done.update(path)
        return found
