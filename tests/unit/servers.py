"""An application -> its address, served by a real server for as long as a test needs it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

__all__ = ["asgi_server", "serving", "wsgi_server"]


@contextmanager
def asgi_server(app: Any, **options: Any) -> Iterator[str]:
    """Serve with uvicorn; ``options`` are those of its ``Config``."""
    import uvicorn

    settings = {"lifespan": "off", "log_level": "critical", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, port=0, **(settings | options)))
    started = threading.Event()
    original = server.startup

    async def startup(*args: Any, **kwargs: Any) -> None:
        await original(*args, **kwargs)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert started.wait(20), "uvicorn did not start within 20 s"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive(), "uvicorn did not stop within 10 s"


@contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    """Serve with the standard library's server, a thread for each request.

    The environment has ``narration.headers``: the request's headers as they came, pairs.
    """

    class Handler(WSGIRequestHandler):
        def get_environ(self) -> dict[str, Any]:
            return {**super().get_environ(), "narration.headers": self.headers.items()}

        def log_message(self, format: str, *args: Any) -> None: ...

    class Threaded(socketserver.ThreadingMixIn, WSGIServer):
        daemon_threads = True

    with make_server("127.0.0.1", 0, app, Threaded, Handler) as server, serving(server) as url:
        yield url


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Let a server of the standard library answer, in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
