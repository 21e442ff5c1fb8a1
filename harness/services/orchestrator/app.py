"""The orchestrator's HTTP interface: paths -> jobs, nodes and what is known about them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pytest_narration.emit import current_context, narrate, narration_context

from ..hop import Hop
from ..stream import Limits, SseResponse, parse_last_event_id
from ..web import (
    ADDRESS,
    NAME,
    VISIBLE,
    ApiError,
    Fields,
    Metrics,
    Refusal,
    Tokens,
    application,
    description,
    owner_of,
    read_json,
    reply,
)
from .admission import read_job
from .jobs import Job, JobStore, Keep, State
from .nodes import Node, NodeRegistry
from .placement import Scheduler
from .running import Patience, Runner
from .settings import Settings

__all__ = ["Orchestrator"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAX_ID_CHARS = 128
_TRACE = ("trace_id", "span_id", "parent_span_id")


class Orchestrator:
    """The control plane's state and its handlers; belongs to one event loop."""

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens
        self._limits = Limits(frames=settings.stream_frames, bytes=settings.stream_bytes)
        self.nodes = NodeRegistry(missed_limit=settings.missed_heartbeats)
        self.scheduler = Scheduler(self.nodes)
        self.jobs = JobStore(
            keep=Keep(jobs=settings.keep_jobs, seconds=settings.keep_seconds),
            most_running=settings.most_jobs,
        )
        self.metrics = self._make_metrics()
        self.app: ASGIApp = application(self._routes(), tokens=tokens, on_refusal=self._refused)
        self._is_stopping = False
        self._hop: Hop | None = None
        self._runner: Runner | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch nodes; call it on the loop that serves."""
        self._hop = Hop(self._tokens)
        self._runner = Runner(
            self.nodes,
            self.scheduler,
            self._hop,
            patience=Patience(queue=self._settings.queue_timeout, silence=self._settings.silence),
            on_end=self._ended,
        )
        self._watch = asyncio.create_task(self.nodes.watch())

    async def stop(self) -> None:
        """End every job with an ``error`` and let go of the nodes."""
        self._is_stopping = True
        if self._watch is not None:
            self._watch.cancel()
        if self._runner is not None:
            await self._runner.close("shutdown", self._settings.grace / 2)
        if self._hop is not None:
            await self._hop.close()

    def _routes(self) -> list[Route]:
        return [
            Route("/v1/jobs", self._submit, methods=["POST"]),
            Route("/v1/jobs/{job_id}", self._status, methods=["GET"]),
            Route("/v1/jobs/{job_id}/stream", self._stream, methods=["GET"]),
            Route("/v1/jobs/{job_id}/cancel", self._cancel, methods=["POST"]),
            Route("/v2/nodes", self._list_nodes, methods=["GET"]),
            Route("/v2/nodes/register", self._register, methods=["POST"]),
            Route("/v2/nodes/{node_id}/heartbeat", self._heartbeat, methods=["POST"]),
            Route("/v2/nodes/{node_id}", self._deregister, methods=["DELETE"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            description(Path(__file__).parent),
        ]

    async def _submit(self, request: Request) -> Response:
        wanted, named = read_job(await read_json(request))
        context = current_context()
        assert context is not None, "the middleware binds a context around every request"
        if self._is_stopping or self._runner is None:
            raise ApiError("unavailable", "the orchestrator is stopping")
        correlation_id = _agree(request, str(context.get("correlation_id")), named)
        job = Job(
            wanted,
            owner=owner_of(request.scope),
            correlation_id=correlation_id,
            limits=self._limits,
        )
        self.jobs.add(job)
        self.metrics.add("jobs_submitted_total")
        parent_job_id = context.get("parent_job_id")
        with narration_context(correlation_id=correlation_id, job_id=job.id, channel=job.stream):
            job.stream.send(
                "started",
                job_id=job.id,
                parent_job_id=parent_job_id,
                correlation_id=correlation_id,
            )
            job.admitted_by = narrate(
                "job_admit",
                "Admitted job {job_id} (prompt {prompt_chars} chars, max_tokens {max_tokens})",
                actor="admission",
                prompt_chars=len(wanted.prompt),
                max_tokens=wanted.max_tokens,
            )
            self._runner.start(job)
        answer = {
            "job_id": job.id,
            "sse_url": f"/v1/jobs/{job.id}/stream",
            "correlation_id": correlation_id,
        }
        echo = {"X-Correlation-Id": correlation_id, "X-Request-Id": correlation_id}
        return reply(answer, 202, {**echo, "Location": f"/v1/jobs/{job.id}"})

    async def _status(self, request: Request) -> Response:
        return reply(self._job(request).facts())

    async def _stream(self, request: Request) -> ASGIApp:
        job = self._job(request)
        last_event_id = parse_last_event_id(request)
        context = current_context()
        asked = context.get("correlation_id") if context is not None else job.correlation_id
        if last_event_id is not None and job.stream.is_read(last_event_id):
            # After any other end an EventSource reconnects, for ever (WHATWG HTML, section 9.2).
            told = str(asked) if _shown(request) is not None else job.correlation_id
            return Response(
                status_code=204, headers={"X-Correlation-Id": told, "X-Request-Id": told}
            )
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        with _beside(job, "stream"):
            response = SseResponse(
                job.stream,
                last_event_id=last_event_id,
                keep_alive=self._settings.keep_alive,
                headers=_echo(request, str(asked)),
            )
            narrate(
                "stream_open",
                "Opened the stream of job {job_id}",
                actor="stream",
                sse=False,
                after_event_id=last_event_id,
            )
        return _Streaming(job, response)

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        assert self._runner is not None
        self._runner.cancel(job)
        return reply({"job_id": job.id, "state": job.state.value}, 202)

    async def _list_nodes(self, request: Request) -> Response:
        return reply({"nodes": [node.shown() for node in self.nodes.all()]})

    async def _register(self, request: Request) -> Response:
        fields = Fields(await read_json(request))
        node_id = fields.text("node_id", required=True, longest=_MAX_ID_CHARS, shape=NAME)
        address = fields.text("address", required=True, longest=260, shape=ADDRESS)
        pool_id = fields.text("pool_id", required=True, longest=_MAX_ID_CHARS, shape=NAME)
        instance = fields.text("instance", required=True, longest=200, shape=VISIBLE)
        heartbeat_ms = fields.integer("heartbeat_ms", lowest=10, highest=60_000, default=1_000)
        fields.done()
        assert node_id and address and pool_id and instance and heartbeat_ms  # noqa: PT018
        self.nodes.register(Node(node_id, address, pool_id, instance, heartbeat_ms / 1000))
        return reply({"node_id": node_id, "heartbeat_ms": heartbeat_ms}, 201)

    async def _heartbeat(self, request: Request) -> Response:
        fields = Fields(await read_json(request))
        instance = fields.text("instance", required=True, longest=200)
        slots = fields.integer("slots", lowest=0, highest=100_000, required=True)
        facts = {
            name: fields.integer(name, lowest=0, highest=1 << 62, default=0)
            for name in ("workers_live", "workers_ready", "vram_free_bytes")
        }
        fields.done()
        assert instance is not None
        assert slots is not None
        node = self.nodes.heartbeat(request.path_params["node_id"], instance, slots, facts)
        return reply({"node_id": node.id, "state": node.state})

    async def _deregister(self, request: Request) -> Response:
        self.nodes.deregister(request.path_params["node_id"])
        return Response(status_code=204)

    async def _health(self, request: Request) -> Response:
        nodes = [node.state for node in self.nodes.all()]
        return reply({"status": "ok", "nodes": len(nodes), "nodes_ready": nodes.count("ready")})

    async def _metrics(self, request: Request) -> Response:
        return self.metrics.response()

    def _job(self, request: Request) -> Job:
        return self.jobs.get(request.path_params["job_id"], owner_of(request.scope))

    def _ended(self, job: Job) -> None:
        self.jobs.ended(job)
        self.metrics.add("jobs_ended_total", job.state.value)
        if job.state is State.COMPLETED:
            self.metrics.add("tokens_out_total", amount=int(job.outcome.get("tokens_out") or 0))

    def _refused(self, refusal: Refusal) -> None:
        self.metrics.add("requests_refused_total", refusal.code)
        path = _UUID.sub("{job_id}", refusal.path)
        narrate(
            "request_refused",
            "Refused {request}: {error_kind}",
            actor="http-server",
            level="warn" if refusal.status < 500 else "error",
            request=f"{refusal.method} {path}"[:60],
            status=refusal.status,
            error_kind=refusal.code,
        )

    def _make_metrics(self) -> Metrics:
        metrics = Metrics("orchestrator")
        metrics.counter("jobs_submitted_total", "Jobs that were admitted.")
        metrics.counter("jobs_ended_total", "Jobs that ended, by how.", "state")
        metrics.counter("tokens_out_total", "Tokens of completed jobs.")
        metrics.counter("requests_refused_total", "Requests answered with an error.", "code")
        metrics.gauge("jobs", "Jobs that can be asked for, by state.", self.jobs.count, "state")
        metrics.gauge(
            "stream_frames_kept",
            "Frames of all jobs that can still be read.",
            self.jobs.kept_frames,
        )
        metrics.gauge("queue_length", "Jobs that wait.", lambda: self.scheduler.waiting)
        metrics.gauge("nodes", "Nodes, by state.", self._count_nodes, "state")
        return metrics

    def _count_nodes(self) -> dict[str, float]:
        counts = {"ready": 0.0, "starting": 0.0, "lost": 0.0}
        for node in self.nodes.all():
            counts[node.state] += 1
        return counts


class _Streaming:
    """A job's stream as a response; says when its reader is gone."""

    def __init__(self, job: Job, response: SseResponse) -> None:
        self._job = job
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with _beside(self._job, "stream") as context:
            try:
                await self._response(scope, receive, send)
            finally:
                if self._response.is_complete and self._job.ended_by is not None:
                    context.trail.follow(self._job.ended_by)
                narrate(
                    "stream_close",
                    "Closed the stream of job {job_id}",
                    actor="stream",
                    sse=False,
                    error_kind=self._response.cut_short,
                )


def _beside(job: Job, branch: str) -> narration_context:
    """The context of what happens to a job from outside its own line of work."""
    return narration_context(
        correlation_id=job.correlation_id,
        job_id=job.id,
        parent_job_id=job.context.get("parent_job_id") if job.context is not None else None,
        task_id=branch,
        cause=(job.admitted_by,) if job.admitted_by else (),
        **{name: job.context.get(name) for name in _TRACE} if job.context is not None else {},
    )


def _echo(request: Request, correlation_id: str) -> list[tuple[bytes, bytes]]:
    """What a caller that named its own correlation id hears; others hear the job's."""
    if _shown(request) is None:
        return []
    value = correlation_id.encode("ascii")
    return [(b"x-correlation-id", value), (b"x-request-id", value)]


def _shown(request: Request) -> str | None:
    return request.headers.get("x-correlation-id") or request.headers.get("x-request-id")


def _agree(request: Request, bound: str, named: str | None) -> str:
    """Return the correlation id that header and body agree on; either alone is enough."""
    shown = _shown(request)
    # A header that was no usable id was replaced, and does not contradict the body.
    if named is not None and shown is not None and bound == shown.strip() != named:
        raise ApiError(
            "invalid_request",
            "`correlation_id` of the body and of the header differ; give one, or the same twice",
        )
    return named or bound
