"""``POST /execute``: a request -> a job in the backend, and its stream as the response.

Every way a request can be refused is narrated here, in the context of the job that it would have
become, so that a caller who asked for a stream reads the reason on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pytest_narration.emit import current_context, narrate, narration_context, new_id

from ..stream import JobStream, SseResponse
from ..web import ApiError, Metrics, read_json
from .backend import Backend, Full, Stopping
from .engine import Engine, StartFailed
from .jobs import RETRYABLE, Job
from .options import Options
from .requests import InferenceRequest, Invalid, read
from .tokens import encode

__all__ = ["Execute"]

_KINDS = {400: "body_not_json", 413: "body_too_large", 415: "content_type_not_json"}


class Execute:
    """The handler.

    :param engine: waits for the model; raises ``StartFailed`` when there will be none.
    """

    def __init__(
        self,
        backend: Backend,
        engine: Callable[[], Awaitable[Engine]],
        options: Options,
        metrics: Metrics,
    ) -> None:
        self._backend = backend
        self._engine = engine
        self._options = options
        self._metrics = metrics

    async def handle(self, request: Request) -> Response | _JobResponse | SseResponse:
        """Answer one request."""
        stream = JobStream(new_id())
        with narration_context(
            channel=stream,
            job_id=stream.job_id,
            worker_id=self._options.worker_id,
            actor="http-server",
        ):
            try:
                asked = read(await read_json(request))
            except ApiError as error:
                # Without a body there is nothing to stream about: the answer is the envelope.
                self._narrate_invalid(_KINDS[error.status], error.message)
                return error.response()
            except Invalid as error:
                return self._refuse_invalid(request, stream, error)
            try:
                engine = await self._engine()
                _check_context(asked, engine)
                self._backend.check_room()
            except Invalid as error:
                return self._refuse_invalid(request, stream, error)
            except (Full, Stopping, StartFailed) as error:
                return self._refuse_unavailable(error)
            return self._accept(asked, stream, engine)

    def _accept(self, asked: InferenceRequest, stream: JobStream, engine: Engine) -> _JobResponse:
        response = SseResponse(stream)
        _send_started(stream, model_ref=engine.model_ref, device=str(engine.device))
        narrate(
            "execute_request",
            "Inference request validated for job {job_id}",
            model_ref=engine.model_ref,
            prompt_chars=len(asked.prompt),
            max_tokens=asked.max_tokens,
        )
        job = Job(stream.job_id, asked, stream)
        self._backend.submit(job)
        return _JobResponse(response, job, self._backend)

    def _refuse_invalid(
        self, request: Request, stream: JobStream, error: Invalid
    ) -> Response | SseResponse:
        if "text/event-stream" not in request.headers.get("accept", ""):
            self._narrate_invalid(error.error_kind, error.message)
            return ApiError("invalid_request", error.message).response()
        response = SseResponse(stream, status=400)
        _send_started(stream)
        self._narrate_invalid(error.error_kind, error.message)
        code = "INVALID_REQUEST"
        stream.send("error", code=code, message=error.message, retryable=RETRYABLE[code])
        return response

    def _refuse_unavailable(self, error: Full | Stopping | StartFailed) -> Response:
        code = "unavailable"
        facts: dict[str, Any] = {}
        headers: dict[str, str] = {}
        if isinstance(error, Full):
            code, facts = "overloaded", {"retry_after_ms": error.retry_after_ms}
            # Whole seconds, rounded up (RFC 9110 section 10.2.3).
            headers = {"Retry-After": str(-(-error.retry_after_ms // 1000))}
        narrate(
            "execute_refused",
            "Refused job {job_id}: {error_kind}",
            level="warn",
            error_kind=code,
            reason=str(error),
            sse=False,  # the answer is no stream
            **facts,
        )
        self._metrics.add("requests_refused_total", code)
        return ApiError(code, str(error), headers=headers, **facts).response()

    def _narrate_invalid(self, error_kind: str, reason: str) -> None:
        narrate(
            "error",
            "Validation failed for job {job_id}: {error_kind}",
            level="warn",
            error_kind=error_kind,
            reason=reason,
        )
        self._metrics.add("requests_refused_total", error_kind)


class _JobResponse:
    """The stream of a job whose only reader is its caller: when that one leaves, the job ends."""

    def __init__(self, response: SseResponse, job: Job, backend: Backend) -> None:
        self._response = response
        self._job = job
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            if self._job.stream.is_open:
                self._backend.cancel(self._job.id, "the caller left the stream")


def _check_context(asked: InferenceRequest, engine: Engine) -> None:
    """Refuse a prompt that the model has no room for, while it is still a request.

    :raises Invalid: ``prompt_over_context``.
    """
    from .batch import ContextExceeded  # torch is here already: the engine is made of it

    try:
        engine.batch.check_context(len(encode(asked.prompt)))
    except ContextExceeded as error:
        raise Invalid("prompt_over_context", str(error)) from error


def _send_started(
    stream: JobStream, *, model_ref: str | None = None, device: str | None = None
) -> None:
    context = current_context()
    assert context is not None, "the middleware binds one for every request"
    stream.send(
        "started",
        job_id=stream.job_id,
        parent_job_id=context.get("parent_job_id"),
        correlation_id=context.get("correlation_id"),
        model_ref=model_ref,
        device=device,
    )
