"""The worker's HTTP surface: requests in, jobs to the backend, streams out.

``POST /execute`` runs a job and streams it to the one who asked; ``POST /cancel``,
``POST /shutdown``, ``GET /health`` and ``GET /metrics`` serve the pool manager. Wired to a
process by :mod:`.__main__`.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pytest_narration.emit import current_context, identity, narrate

from ..web import ApiError, Metrics, Refusal, Tokens, application, description, read_json, reply
from .backend import Backend
from .engine import Engine, StartFailed
from .execute import Execute
from .readiness import NotAccepted, report_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from .jobs import Job
    from .options import Options

__all__ = ["Service"]

_LAST_WORDS = 1.0
"""Seconds for cancelled jobs to say so, after their grace has passed."""


class Service:
    """One worker: its application and the callbacks of its server's life.

    :param stop: asks the server for a graceful end, with a reason.
    """

    def __init__(self, options: Options, *, tokens: Tokens, stop: Callable[[str], None]) -> None:
        self.failed = False
        """Whether the process shall end with an error status."""
        self._options = options
        self._tokens = tokens
        self._stop = stop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loaded: asyncio.Future[Engine] | None = None
        self.backend = Backend(
            options, on_loaded=self._on_loaded, on_end=self._on_end, on_crash=self._on_crash
        )
        self._metrics = self._new_metrics()

    def app(self) -> ASGIApp:
        """Return the application."""
        execute = Execute(self.backend, self._engine, self._options, self._metrics)
        return application(
            [
                Route("/execute", execute.handle, methods=["POST"]),
                Route("/cancel", self._cancel, methods=["POST"]),
                Route("/shutdown", self._shutdown, methods=["POST"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/metrics", self._show_metrics, methods=["GET"]),
                description(Path(__file__).parent),
            ],
            tokens=self._tokens,
            on_refusal=self._narrate_refusal,
        )

    # The server's life, in order.

    def on_start(self, address: str) -> None:
        """Say where the server will listen."""
        self._say("server_start", "HTTP server initialized on {address}", address=address)

    def on_bind_error(self, address: str, error_kind: str) -> None:
        """Say why it cannot."""
        self._say(
            "error",
            "Failed to bind {address}: {error_kind}",
            level="error",
            address=address,
            error_kind=error_kind,
        )

    async def on_bind(self, address: str, port: int) -> None:
        """Say where it listens; load the model; report ready."""
        self._say("server_bind", "HTTP server listening on {address}", address=address, port=port)
        self._loop = asyncio.get_running_loop()
        self._loaded = self._loop.create_future()
        self.backend.start()
        try:
            engine = await asyncio.shield(self._loaded)
            await self._report(engine, address)
        except (StartFailed, NotAccepted) as failure:
            self.failed = True
            self._stop(str(failure))

    async def on_shutdown(self, reason: str) -> None:
        """Let jobs finish for a while, then cancel them, so that each stream has an end."""
        self._say(
            "server_shutdown",
            "HTTP server shutting down gracefully",
            reason=reason,
            open_jobs=self.backend.open_jobs,
        )
        drained = asyncio.wrap_future(self.backend.drain())
        done, _ = await asyncio.wait({drained}, timeout=self._options.grace)
        if not done:
            self.backend.cancel_all("the worker is shutting down")
            await asyncio.wait({drained}, timeout=_LAST_WORDS)

    # Handlers.

    async def _cancel(self, request: Request) -> Response:
        body = await read_json(request)
        job_id = body.get("job_id") if isinstance(body, dict) else None
        if not isinstance(job_id, str) or not job_id or set(body) != {"job_id"}:
            raise ApiError("invalid_request", 'the body must be {"job_id": "..."}')
        context = current_context()
        cause = context.trail.pending if context is not None else ()
        status = self.backend.cancel(job_id, "the caller cancelled the job", cause=cause)
        if status is None:
            raise ApiError("not_found", "there is no such job here")
        return reply({"job_id": job_id, "status": status}, 202)

    async def _shutdown(self, request: Request) -> Response:
        self._stop("asked over HTTP")
        return reply({"status": "stopping"}, 202)

    async def _health(self, request: Request) -> Response:
        engine = self._engine_now()
        return reply(
            {
                "status": "ready" if engine else "loading",
                "worker_id": self._options.worker_id,
                "instance": identity().instance,
                "model_ref": engine.model_ref if engine else None,
                "device": str(engine.device) if engine else None,
                "slots": self._options.slots,
                "slots_free": self.backend.slots_free,
                "queued": self.backend.queued,
            }
        )

    async def _show_metrics(self, request: Request) -> Response:
        return self._metrics.response()

    # The rest.

    async def _report(self, engine: Engine, address: str) -> None:
        if self._options.ready_url is None:
            return
        total, free = engine.memory()
        facts: dict[str, object] = {
            "worker_id": self._options.worker_id,
            "instance": identity().instance,
            "address": address,
            "device": str(engine.device),
            "model_ref": engine.model_ref,
            "slots": self._options.slots,
            "vram_total_bytes": total,
            "vram_free_bytes": free,
        }
        await report_ready(
            self._options.ready_url,
            facts,
            tokens=self._tokens,
            worker_id=self._options.worker_id,
            attempts=self._options.ready_attempts,
        )

    async def _engine(self) -> Engine:
        """Wait for the model.

        :raises StartFailed: there will be none.
        """
        assert self._loaded is not None, "requests come after the bind"
        return await asyncio.shield(self._loaded)

    def _engine_now(self) -> Engine | None:
        loaded = self._loaded
        ok = loaded is not None and loaded.done() and loaded.exception() is None
        return loaded.result() if ok and loaded is not None else None

    # Called from the decode thread.

    def _on_loaded(self, result: Engine | StartFailed) -> None:
        self._on_loop(self._settle, result)

    def _on_end(self, job: Job, outcome: str) -> None:
        self._on_loop(self._count, outcome, job.tokens_out)

    def _on_crash(self) -> None:
        self.failed = True
        self._stop("the decode thread crashed")

    def _on_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None, "the backend is started from the loop"
        # The loop may end before the thread, which cannot be stopped while it imports torch.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    # Then on the loop.

    def _settle(self, result: Engine | StartFailed) -> None:
        assert self._loaded is not None, "set before the backend is started"
        if isinstance(result, Engine):
            self._loaded.set_result(result)
        else:
            self._loaded.set_exception(result)

    def _count(self, outcome: str, tokens_out: int) -> None:
        self._metrics.add("jobs_ended_total", outcome)
        self._metrics.add("tokens_total", amount=tokens_out)

    def _new_metrics(self) -> Metrics:
        metrics = Metrics("worker")
        metrics.gauge("ready", "Whether the model is loaded.", lambda: bool(self._engine_now()))
        metrics.gauge("slots", "Jobs that can decode together.", lambda: self._options.slots)
        metrics.gauge("jobs_open", "Jobs that have not ended.", lambda: self.backend.open_jobs)
        metrics.gauge("jobs_queued", "Jobs that wait for a slot.", lambda: self.backend.queued)
        metrics.counter("jobs_ended_total", "Jobs that ended, by outcome.", "outcome")
        metrics.counter(
            "requests_refused_total", "Requests that became no job, by reason.", "error_kind"
        )
        metrics.counter("tokens_total", "Tokens generated by jobs that ended.")
        return metrics

    def _narrate_refusal(self, refusal: Refusal) -> None:
        self._say(
            "request_refused",
            "Refused {method} {path}: {error_kind}",
            level="warn",
            method=refusal.method,
            path=refusal.path,
            error_kind=refusal.code,
            status=refusal.status,
            reason=refusal.message,
        )

    def _say(self, action: str, template: str, /, **said: Any) -> None:
        narrate(action, template, actor="http-server", worker_id=self._options.worker_id, **said)
