"""An ASGI application -> the same application, each request in a narration context of its own.

Used by services on starlette, FastAPI, quart or raw ASGI. It is written against the protocol
(https://asgi.readthedocs.io/en/latest/specs/www.html) and imports no framework.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Final

from .context import Context, _current, current_context
from .headers import Incoming, extract, narrate_replaced, response_headers
from .otel import require, serving
from .process import narrate

__all__ = ["NarrationMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_SERVED: Final = "pytest_narration.served"
"""Key in the scope of a request that a middleware further out serves already."""
INTERNAL_ERROR: Final = b'{"error":{"code":"internal_error","message":"The service failed."}}'
"""Body of the answer to a request that the application failed without answering."""


class NarrationMiddleware:
    """Reads the ids of a request, binds them while the application runs, and echoes them.

    Every response carries ``X-Correlation-Id``, ``X-Request-Id`` and, once something was narrated,
    ``X-Narration-Cause``: streams, and the 500 that is sent when the application raises before it
    answered or ends without an answer (narrated as ``request_failed``; an exception goes on to the
    server). A header that the application set itself is left alone. Web sockets and lifespan pass
    through.

    Put it around the whole application, ``app = NarrationMiddleware(app)``: frameworks write some
    error pages outside the middleware that is added to them. Within another one it does nothing.

    :param app: the application.
    :param actor: who acts in what the middleware itself narrates.
    :param spans: make an OpenTelemetry span of each request, unless one is running already.
    :raises MissingExtra: spans are asked for and OpenTelemetry is not installed.
    """

    def __init__(
        self, app: Application, *, actor: str = "http-server", spans: bool = False
    ) -> None:
        self.app = app
        self.actor = actor
        self.spans = spans
        if spans:
            require()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _SERVED in scope:
            await self.app(scope, receive, send)
            return
        # In place: what is around us may read what the application adds, as its route.
        scope[_SERVED] = True
        # A client in the same process may have called us inside its own context; what that binds
        # (its job, its SSE stream) is not this request's.
        outer = _current.set(None)
        try:
            await self._serve(scope, receive, send)
        finally:
            _current.reset(outer)
            scope.pop(_SERVED, None)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming = extract(scope["headers"])
        has_started = has_left = False

        async def watched() -> Message:
            nonlocal has_left
            message = await receive()
            has_left = has_left or message["type"] == "http.disconnect"
            return message

        async def send_with_ids(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                innermost = current_context() or context
                headers = _with_ids(message.get("headers", ()), incoming, innermost)
                message = {**message, "headers": headers}
            await send(message)

        with self._traced(scope, incoming), incoming.context() as context:
            narrate_replaced(incoming, actor=self.actor)
            try:
                await self.app(scope, watched, send_with_ids)
            except Exception as error:
                if not has_started:
                    self._narrate_failed(type(error).__name__)
                    await _answer_failed(send_with_ids)
                raise
            if not has_started and not has_left:
                self._narrate_failed("NoResponse")
                await _answer_failed(send_with_ids)

    def _traced(self, scope: Scope, incoming: Incoming) -> AbstractContextManager[None]:
        name = scope["method"] if self.spans else None
        return serving(
            incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate, name
        )

    def _narrate_failed(self, kind: str) -> None:
        narrate(
            "request_failed",
            "Request failed: {error_kind}",
            actor=self.actor,
            level="error",
            error_kind=kind,
        )


async def _answer_failed(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(INTERNAL_ERROR)).encode()),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": INTERNAL_ERROR})


def _with_ids(
    given: Iterable[tuple[bytes, bytes]], incoming: Incoming, context: Context
) -> list[tuple[bytes, bytes]]:
    headers = list(given)
    own = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in headers
        if name[:1] in b"xX"
    }
    for name, value in response_headers(incoming, context, own):
        headers.append((name.lower().encode(), value.encode("ascii")))
    return headers
