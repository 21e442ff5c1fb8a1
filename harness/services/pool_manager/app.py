"""The pool manager's HTTP interface: jobs from the orchestrator, callbacks from workers."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pytest_narration.emit import current_context, narrate, narration_context

from ..hop import Hop
from ..stream import SseResponse
from ..web import (
    ApiError,
    Fields,
    Metrics,
    Refusal,
    Tokens,
    application,
    description,
    read_json,
    reply,
)
from .capture import SharedSink, shown
from .engine import Engine
from .preflight import look
from .provisioner import Provisioner
from .registration import Registration
from .running import Job, Runner
from .settings import Settings
from .workers import Pool, Ready

__all__ = ["PoolManager"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KEEP_ALIVE = 2.0
"""Seconds of silence after which a running job says that its node still lives."""
_MOST_SLOTS = 100_000
_MOST_BYTES = 1 << 62


class PoolManager:
    """The node's state and its handlers; belongs to one event loop."""

    def __init__(
        self, settings: Settings, tokens: Tokens, *, engine: Engine, sink: SharedSink
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._engine = engine
        self._sink = sink
        self.pool = Pool()
        self.app: ASGIApp = application(
            self._routes(),
            tokens=tokens,
            services_only=("/v1/", "/v2/"),
            on_refusal=self._refused,
        )
        self._refusals: dict[str, float] = {}
        self._is_stopping = False
        self._hop: Hop | None = None
        self._runner: Runner | None = None
        self._registration: Registration | None = None
        self._provisioner: Provisioner | None = None

    async def start(self, address: str, port: int) -> None:
        """Join the cluster and start workers; call it on the loop that serves."""
        reached = f"{self._settings.advertise}:{port}" if self._settings.advertise else address
        self._hop = Hop(self._tokens)
        self._runner = Runner(self.pool, self._hop, silence=self._settings.silence)
        self._registration = Registration(self._settings, self._hop, reached, self._capacity)
        self.pool.on_change = self._registration.kick
        self._provisioner = Provisioner(
            self.pool,
            self._engine,
            self._settings,
            arguments=lambda worker_id: [
                f"--worker-id={worker_id}",
                f"--ready-url=http://{reached}/v2/internal/workers/ready",
                *self._settings.worker_args,
            ],
            relay=self._sink.relay,
            look=lambda: look(
                require_ram_mb=self._settings.require_ram_mb,
                require_gpu=self._settings.require_gpu,
            ),
        )
        self._registration.start()
        self._provisioner.start()

    async def stop(self) -> None:
        """Leave the cluster, end jobs and workers."""
        self._is_stopping = True
        quarter = self._settings.grace / 4
        if self._registration is not None:
            self.pool.on_change = lambda: None
            await self._registration.stop()
        if self._runner is not None:
            await self._runner.close(quarter)
        if self._provisioner is not None:
            await self._provisioner.stop(quarter * 2)
        if self._hop is not None:
            await self._hop.close()

    def _routes(self) -> list[Route]:
        return [
            Route("/v1/jobs", self._submit, methods=["POST"]),
            Route("/v1/jobs/{job_id}/cancel", self._cancel, methods=["POST"]),
            Route("/v1/workers/{worker_id}/logs", self._logs, methods=["GET"]),
            Route("/v2/pools/{pool_id}/status", self._status, methods=["GET"]),
            Route("/v2/internal/workers/ready", self._worker_ready, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            description(Path(__file__).parent),
        ]

    async def _submit(self, request: Request) -> ASGIApp:
        body = await read_json(request)
        if not isinstance(body, dict):
            raise ApiError("invalid_request", "the body must be a JSON object")
        if self._is_stopping or self._runner is None:
            raise ApiError("unavailable", "the pool manager is stopping")
        # What a prompt may be is the model's business: the worker judges it.
        job = self._runner.accept(body)
        context = current_context()
        assert context is not None, "the middleware binds a context around every request"
        with narration_context(
            job_id=job.id,
            channel=job.stream,
            node_id=self._settings.node_id,
            worker_id=job.worker.id,
        ):
            job.stream.send(
                "started",
                job_id=job.id,
                parent_job_id=context.get("parent_job_id"),
                correlation_id=context.get("correlation_id"),
                node_id=self._settings.node_id,
            )
            narrate("job_accept", "Accepted job {job_id} on {node_id}", actor="pool-manager")
            self._runner.start(job)
        return _JobResponse(job, self._runner)

    async def _cancel(self, request: Request) -> Response:
        job_id = request.path_params["job_id"]
        if self._runner is None:
            raise ApiError("not_found", "there is no such job here")
        self._runner.cancel(job_id)
        return reply({"job_id": job_id, "state": "cancelling"}, 202)

    async def _logs(self, request: Request) -> Response:
        worker = self.pool.get(request.path_params["worker_id"])
        lines = worker.log.lines(_last(request))
        if request.query_params.get("format") == "raw":
            text = b"".join(line + b"\n" for stream, line in lines if stream == "stdout")
            return Response(text, media_type="application/x-ndjson")
        return PlainTextResponse("".join(f"{shown(worker.id, *line)}\n" for line in lines))

    async def _status(self, request: Request) -> Response:
        pool_id = request.path_params["pool_id"]
        if pool_id != self._settings.pool_id:
            raise ApiError("not_found", f"this node is in pool {self._settings.pool_id}")
        facts = self.pool.facts()
        return reply(
            {
                "pool_id": pool_id,
                "node_id": self._settings.node_id,
                "live": facts["workers_live"],
                "ready": facts["workers_ready"],
                "slots": self.pool.slots,
                "slots_free": sum(worker.free for worker in self.pool.all()),
                "vram_free_bytes": facts["vram_free_bytes"],
                "workers": [worker.shown() for worker in self.pool.all()],
            }
        )

    async def _worker_ready(self, request: Request) -> Response:
        fields = Fields(await read_json(request))
        worker_id = fields.text("worker_id", required=True, longest=128)
        instance = fields.text("instance", required=True, longest=200)
        address = fields.text("address", required=True, longest=260)
        device = fields.text("device", required=True, longest=64)
        model_ref = fields.text("model_ref", required=True, longest=500)
        slots = fields.integer("slots", required=True, lowest=1, highest=_MOST_SLOTS)
        total = fields.integer("vram_total_bytes", lowest=0, highest=_MOST_BYTES, default=0)
        free = fields.integer("vram_free_bytes", lowest=0, highest=_MOST_BYTES, default=0)
        fields.done()
        assert worker_id and instance and address and device and model_ref and slots  # noqa: PT018
        worker = self.pool.get(worker_id)
        if worker.state not in ("starting", "ready"):
            raise ApiError("conflict", f"worker {worker_id} is {worker.state}")
        if self._provisioner is not None:
            address = self._provisioner.reach(worker_id, address)
        ready = Ready(instance, address, device, model_ref, slots, total or 0, free or 0)
        told = narrate(
            "worker_ready",
            "Worker {worker_id} is ready at {target} on {device}",
            actor="engine-provisioner",
            worker_id=worker_id,
            target=address,
            device=device,
            model_ref=model_ref,
            slots=slots,
        )
        if self._registration is not None:
            self._registration.follow(told)
        self.pool.set_ready(worker, ready)
        return reply({"worker_id": worker_id, "state": worker.state})

    async def _health(self, request: Request) -> Response:
        return reply({"status": "ok", **self.pool.facts()})

    async def _metrics(self, request: Request) -> Response:
        runner = self._runner
        metrics = Metrics("pool_manager")
        metrics.gauge("jobs_running", "Jobs that run.", lambda: runner.count if runner else 0)
        metrics.gauge("slots", "Jobs that ready workers can run at once.", lambda: self.pool.slots)
        metrics.gauge(
            "workers",
            "Workers, by state.",
            lambda: _count([worker.state for worker in self.pool.all()]),
            "state",
        )
        metrics.gauge(
            "worker_restarts_total",
            "Restarts, by worker.",
            lambda: {worker.id: max(0, worker.starts - 1) for worker in self.pool.all()},
            "worker_id",
        )
        metrics.gauge(
            "jobs_ended_total", "Jobs that ended, by how.", lambda: _ended(runner), "outcome"
        )
        metrics.gauge(
            "requests_refused_total",
            "Requests answered with an error.",
            lambda: self._refusals,
            "code",
        )
        return metrics.response()

    def _capacity(self) -> dict[str, int]:
        return {"slots": self.pool.slots, **self.pool.facts()}

    def _refused(self, refusal: Refusal) -> None:
        self._refusals[refusal.code] = self._refusals.get(refusal.code, 0) + 1
        path = _UUID.sub("{job_id}", refusal.path)
        narrate(
            "request_refused",
            "Refused {request}: {error_kind}",
            actor="http-server",
            level="warn" if refusal.status < 500 or refusal.code == "overloaded" else "error",
            request=f"{refusal.method} {path}"[:60],
            status=refusal.status,
            error_kind=refusal.code,
        )


class _JobResponse:
    """A job's stream to the orchestrator: when it leaves, nobody wants the job any more."""

    def __init__(self, job: Job, runner: Runner) -> None:
        self._job = job
        self._runner = runner
        self._response = SseResponse(job.stream, keep_alive=_KEEP_ALIVE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            if self._job.stream.is_open:
                self._runner.caller_left(self._job)


def _last(request: Request) -> int | None:
    wanted = request.query_params.get("last", "")
    if not wanted:
        return None
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 9):
        raise ApiError("invalid_request", "`last` must be a number of lines")
    return int(wanted)


def _count(states: list[str]) -> dict[str, float]:
    return {state: float(states.count(state)) for state in set(states)}


def _ended(runner: Runner | None) -> dict[str, float]:
    return {how: float(count) for how, count in runner.ended.items()} if runner else {}
