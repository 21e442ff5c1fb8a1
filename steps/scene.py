"""What the steps of one scenario share: the cluster, its narration, and the jobs so far."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from harness.cluster import Cluster, Job
from harness.launch.local import LocalService
from pytest_narration.coverage.catalog import Point
from pytest_narration.event import Event
from pytest_narration.recorder import Record
from pytest_narration.sources import SseSource

if TYPE_CHECKING:
    from pytest_narration.fixtures import Narration

__all__ = ["POOL_MANAGER", "SERVICES", "STREAM_SECONDS", "Scene", "within"]

SERVICES = ("orchestrator", "pool-manager", "worker")
STREAM_SECONDS = 120.0
"""Time-out of waits: a worker that starts imports torch, for which a busy machine takes long."""
POOL_MANAGER = "pool-manager-node-0"
"""The source that carries the only node's output, its worker's included."""


@dataclass
class Scene:
    """One scenario as it goes."""

    cluster: Cluster
    narration: Narration
    points: dict[str, Point]
    """The catalog by id."""
    jobs: list[Job] = field(default_factory=list)
    streams: list[SseSource] = field(default_factory=list)
    answers: list[httpx.Response] = field(default_factory=list)
    """What services other than the orchestrator answered."""
    response: httpx.Response | None = None
    """The latest answer to the client."""
    service: LocalService | None = None
    """A service that the scenario started by itself."""

    @property
    def job(self) -> Job:
        """The latest job."""
        assert self.jobs, "no job was submitted in this scenario"
        return self.jobs[-1]

    @property
    def stream(self) -> SseSource:
        """The latest stream."""
        assert self.streams, "no stream was opened in this scenario"
        return self.streams[-1]

    def submit(self, **options: Any) -> Job:
        """Submit a job and remember it."""
        job = self.cluster.submit(**options)
        self.jobs.append(job)
        self.response = job.response
        return job

    def open_stream(self, job: Job | None = None, **options: Any) -> SseSource:
        """Open a job's stream and remember it."""
        stream = self.cluster.open_stream(job or self.job, **options)
        self.streams.append(stream)
        return stream

    def job_of(self, service: str) -> str:
        """Return the id of the latest request's job on a service.

        Its events on stdout may still be on their way when its stream has ended.
        """
        match = self.narration.wait_for(
            lambda e: (
                e.service == service
                and e.job_id is not None
                and e.correlation_id == self.job.correlation_id
            ),
            timeout=STREAM_SECONDS,
        )
        assert match.event.job_id is not None
        return match.event.job_id

    def sightings(self, point_id: str, **where: Any) -> list[Record]:
        """Return where a point was seen, in the whole session unless ``where`` says less."""
        assert point_id in self.points, (
            f"the catalog has no point {point_id!r}; it has {', '.join(sorted(self.points))}"
        )
        point = self.points[point_id]
        return self.narration.recorder.records(
            service=point.service,
            actor=point.actor,
            action=point.action,
            template=point.human,
            **where,
        )

    def wait_for_point(self, point_id: str, **where: Any) -> None:
        """Wait until a point is seen in this scenario."""
        assert point_id in self.points, f"the catalog has no point {point_id!r}"
        point = self.points[point_id]
        self.narration.wait_for(
            service=point.service,
            actor=point.actor,
            action=point.action,
            template=point.human,
            timeout=STREAM_SECONDS,
            **where,
        )

    def wait_for(self, **where: Any) -> Event:
        """Wait until such an event is seen in this scenario, and return it."""
        return self.narration.wait_for(timeout=STREAM_SECONDS, **where).event

    def wait_complete(self) -> None:
        """Wait until the orchestrator has the whole latest job; its node is done sooner."""
        self.wait_for(
            service="orchestrator",
            action="job_complete",
            correlation_id=self.job.correlation_id,
        )

    def settle(self) -> None:
        """Wait until all is told, the end of each stream included, which comes last."""
        for stream in self.streams:
            self.wait_for(service="orchestrator", action="stream_close", job_id=stream.job_id)
        self.narration.settle(timeout=STREAM_SECONDS)

    def worker_url(self) -> str:
        """Return where this process reaches the cluster's worker."""
        return self.cluster.worker().url

    def error_code(self) -> str:
        """Return the code in the stream's error frame."""
        codes = [json.loads(f.data).get("code") for f in self.stream.frames if f.type == "error"]
        kinds = [frame.type for frame in self.stream.frames]
        assert len(codes) == 1, f"expected one error frame on the stream, found {kinds}"
        return str(codes[0])


def within(seconds: float, what: str, pieces: Iterable[SseSource]) -> None:
    """Wait until all streams have ended."""
    deadline = time.monotonic() + seconds
    for stream in pieces:
        left = deadline - time.monotonic()
        ending = stream.wait_done(max(left, 0.1))
        assert ending.outcome == "complete", f"{what}: {stream.name} {ending.detail}"
