"""Jobs from their admission to the day they are forgotten.

A job outlives its request and its reader: it runs whether or not anybody reads its stream, and
what it said can be read for a while after it ended. How long is bounded by age, by count and by
bytes, so clients that never read cost no more than that.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from typing import Any

from pytest_narration.emit import Context, new_id

from ..stream import JobStream, Limits
from ..web import ApiError
from .admission import JobRequest

__all__ = ["Job", "JobStore", "Keep", "State"]


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED)


class Job:
    """One job of one client.

    :param owner: digest of the token that made it; only that token sees it.
    """

    def __init__(
        self,
        request: JobRequest,
        *,
        owner: str,
        correlation_id: str,
        limits: Limits = Limits(),  # noqa: B008
    ) -> None:
        self.id = new_id()
        self.request = request
        self.owner = owner
        self.correlation_id = correlation_id
        self.stream = JobStream(self.id, limits=limits, done_marker=True)
        self.state = State.QUEUED
        self.node_id: str | None = None
        self.outcome: dict[str, Any] = {}
        """Data of the ``end`` or ``error`` that the job ended with."""
        self.made_at = time.monotonic()
        self.ended_at = 0.0
        self.context: Context | None = None
        """The narration context that the job runs in, for what joins it from other requests."""
        self.admitted_by: str | None = None
        """The event that admitted it: it precedes whatever happens to the job from outside."""
        self.ended_by: str | None = None
        """The event that told its end."""
        self.on_cancel: Callable[[], None] | None = None
        """What to do in the job's present phase when it is cancelled."""

    @property
    def age_ms(self) -> int:
        """Milliseconds from its admission until it ended, or until this moment."""
        return round(((self.ended_at or time.monotonic()) - self.made_at) * 1000)

    def facts(self) -> dict[str, Any]:
        """Return what ``GET /v1/jobs/{id}`` says."""
        facts: dict[str, Any] = {
            "job_id": self.id,
            "correlation_id": self.correlation_id,
            "state": self.state.value,
            "age_ms": self.age_ms,
            "last_event_id": self.stream.last_id,
        }
        if self.node_id is not None:
            facts["node_id"] = self.node_id
        if self.outcome:
            facts["error" if "code" in self.outcome else "result"] = {
                name: value for name, value in self.outcome.items() if name != "type"
            }
        return facts


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the past is kept."""

    jobs: int = 2_000
    seconds: float = 600.0
    bytes: int = 128 << 20


class JobStore:
    """Every job that can still be asked for."""

    def __init__(
        self,
        *,
        keep: Keep = Keep(),
        most_running: int = 5_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._most_running = most_running
        self._clock = clock
        self._running: dict[str, Job] = {}
        self._ended: OrderedDict[str, Job] = OrderedDict()
        self._ended_bytes = 0

    @property
    def running(self) -> Iterator[Job]:
        """Jobs that have not ended."""
        return iter(tuple(self._running.values()))

    def count(self) -> dict[str, float]:
        """Return ``{state: jobs}``."""
        counts = dict.fromkeys((state.value for state in State), 0.0)
        for job in (*self._running.values(), *self._ended.values()):
            counts[job.state.value] += 1
        return counts

    def kept_frames(self) -> float:
        """Return how many frames of all streams can still be read."""
        jobs = (*self._running.values(), *self._ended.values())
        return float(sum(job.stream.kept_frames for job in jobs))

    def add(self, job: Job) -> None:
        """Keep a job.

        :raises ApiError: 503 ``overloaded``, too many have not ended.
        """
        if len(self._running) >= self._most_running:
            raise ApiError(
                "overloaded",
                f"{len(self._running)} jobs are waiting or running",
                headers={"Retry-After": "1"},
            )
        self._running[job.id] = job

    def get(self, job_id: str, owner: str) -> Job:
        """Return the owner's job.

        :raises ApiError: 404 when it is unknown, forgotten or another token's: the three answers
            are alike, so that nobody learns which ids exist.
        """
        self.forget()
        job = self._running.get(job_id) or self._ended.get(job_id)
        if job is None or not compare_digest(job.owner, owner):
            raise ApiError("not_found", "there is no such job, or its time to be read is over")
        return job

    def ended(self, job: Job) -> None:
        """Take a job's end: from here on it is kept for reading only."""
        if self._running.pop(job.id, None) is not None:
            job.ended_at = self._clock()
            self._ended[job.id] = job
            self._ended_bytes += job.stream.kept_bytes
            self.forget()

    def forget(self) -> None:
        """Drop ended jobs beyond the bounds, the oldest first."""
        keep, ended = self._keep, self._ended
        while ended:
            oldest = next(iter(ended.values()))
            if (
                len(ended) <= keep.jobs
                and self._ended_bytes <= keep.bytes
                and self._clock() - oldest.ended_at <= keep.seconds
            ):
                return
            del ended[oldest.id]
            self._ended_bytes -= oldest.stream.kept_bytes
