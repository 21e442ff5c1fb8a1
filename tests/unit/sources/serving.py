"""A scripted HTTP server for the tests of SSE sources: each request takes the next answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Script:
    answers: list[Callable[[BaseHTTPRequestHandler], None]]
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


def stream(*chunks: bytes, status: int = 200, hold: threading.Event | None = None, **headers: str):
    """Answer with an event stream, and hold it open until ``hold`` is set."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", headers.pop("content_type", "text/event-stream"))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(chunk)
            handler.wfile.flush()
        if hold is not None:
            hold.wait(20)

    return answer


def break_off(*chunks: bytes):
    """Announce more than is sent, then close the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(chunk)

    return answer


@contextmanager
def serve(*answers: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Script]:
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            script.bodies.append(self.rfile.read(size))
            script.requests.append({k.lower(): v for k, v in self.headers.items()})
            script.answers.pop(0)(self) if script.answers else self.send_error(410)
            self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
