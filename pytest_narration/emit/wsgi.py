"""A WSGI application -> the same application, each request in a narration context of its own.

The counterpart of :mod:`.asgi` for flask, django, bottle or raw WSGI (PEP 3333).
"""

from __future__ import annotations

import contextvars
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any, Final

from .context import _current, current_context
from .headers import extract, narrate_replaced, response_headers
from .otel import mark_failed, require, serving
from .process import narrate

__all__ = ["NarrationMiddleware"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_READ: Final = tuple(
    (f"HTTP_{name.upper().replace('-', '_')}", name)
    for name in ("x-correlation-id", "x-request-id", "x-parent-job-id", "traceparent", "tracestate")
)
_SERVED: Final = "pytest_narration.served"
"""Key in the environ of a request that a middleware further out serves already."""
_FAILED: Final = b'{"error":{"code":"internal_error","message":"The service failed."}}'


class NarrationMiddleware:
    """Reads the ids of a request, binds them while the response is made, and echoes them.

    As :class:`pytest_narration.emit.asgi.NarrationMiddleware`. The body's iterator runs in the
    request's context too, whichever thread the server takes it from. An exception before anything
    was sent is written to ``wsgi.errors``, as servers do, and answered with 500.

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

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; the iterable that is returned must be closed, as PEP 3333 demands."""
        if _SERVED in environ:
            return self.app(environ, start_response)
        environ[_SERVED] = True
        return _Response(self, environ, start_response)


class _Response:
    """One request on its way: the application's iterable, run in a context of its own."""

    def __init__(
        self, middleware: NarrationMiddleware, environ: Environ, start_response: StartResponse
    ) -> None:
        self._middleware = middleware
        self._environ = environ
        self._server_start = start_response
        self._start: tuple[Any, ...] | None = None
        self._write_on: Callable[[bytes], object] | None = None
        self._has_sent = False
        self._stack = ExitStack()
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        # Server code that runs between two chunks sees nothing of ours, and a server may fetch
        # each chunk in another thread.
        self._context = contextvars.copy_context()
        self._context.run(self._call)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(self._next)

    def close(self) -> None:
        """Close the application's iterable, then leave the context."""
        self._context.run(self._close)

    def _call(self) -> None:
        _current.set(None)
        named = [(name, self._environ.get(key)) for key, name in _READ]
        self._incoming = incoming = extract([(n, v) for n, v in named if v is not None])
        span_name = self._environ["REQUEST_METHOD"] if self._middleware.spans else None
        self._stack.enter_context(
            serving(
                incoming.trace_id,
                incoming.parent_id,
                incoming.trace_flags,
                incoming.tracestate,
                span_name,
            )
        )
        self._bound = self._stack.enter_context(incoming.context())
        narrate_replaced(incoming, actor=self._middleware.actor)
        try:
            self._chunks = self._called()
            if self._write_on is None:
                self._send_start()
        except BaseException:
            # No iterable is returned, so nobody will close it.
            self._close()
            raise

    def _called(self) -> Iterator[bytes]:
        """The application's answer, its first chunk made already.

        The server hears of an answer that its first chunk did not break. It could take it back
        (PEP 3333, ``exc_info``), but not each server that is in use does.
        """
        try:
            self._body = self._middleware.app(self._environ, self._start_response)
            chunks = iter(self._body)
            first = list(islice(chunks, 1))
        except Exception as error:
            return iter([self._failed(error, type(error).__name__)])
        if self._start is None:
            silent = RuntimeError("the application ended without calling start_response")
            return iter([self._failed(silent, "NoResponse")])
        return chain(first, chunks)

    def _next(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            raise
        except Exception as error:
            chunk = self._failed(error, type(error).__name__)
            self._chunks = iter(())
        # The headers go out with the first bytes, and not before (PEP 3333).
        self._has_sent = self._has_sent or len(chunk) > 0
        return chunk

    def _close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._stack.close()
            self._environ.pop(_SERVED, None)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """What the application calls as ``start_response``."""
        if self._start is not None and exc_info is None:
            raise AssertionError("start_response was called twice, without exc_info")
        own = {name.lower(): value for name, value in headers}
        lacking = response_headers(self._incoming, current_context() or self._bound, own)
        self._start = (status, [*headers, *lacking], *(() if exc_info is None else (exc_info,)))
        if self._write_on is not None:
            self._send_start()
        return self._write

    def _send_start(self) -> Callable[[bytes], object]:
        assert self._start is not None
        self._write_on = self._server_start(*self._start)
        return self._write_on

    def _write(self, chunk: bytes) -> object:
        write_on = self._write_on or self._send_start()
        self._has_sent = True
        return write_on(chunk)

    def _failed(self, error: Exception, kind: str) -> bytes:
        """Answer 500 for an application that failed before it answered; otherwise raise on."""
        if self._middleware.spans:
            mark_failed(error)
        if self._has_sent:
            raise error
        narrate(
            "request_failed",
            "Request failed: {error_kind}",
            actor=self._middleware.actor,
            level="error",
            error_kind=kind,
        )
        traceback.print_exception(error, file=self._environ.get("wsgi.errors", sys.stderr))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(_FAILED)))]
        self._start_response(
            "500 Internal Server Error", headers, (type(error), error, error.__traceback__)
        )
        return b"" if self._environ["REQUEST_METHOD"] == "HEAD" else _FAILED
