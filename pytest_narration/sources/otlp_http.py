"""An OTLP/HTTP endpoint that a test opens -> events of what services export to it.

Services in any language that carry an OpenTelemetry SDK need one variable:
``OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:<port>``. Logs and traces are read, protobuf and
JSON, plain and gzip; metrics are accepted and not kept.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ..errors import SourceError
from ..event import Event
from ..formats import FieldMap, named
from ..formats.loose_json import NotJson, read_json
from ..recorder import Ending, Recorder
from ..wire import Rejected
from .otlp_wire import decode_logs, decode_traces
from .source import Mapped

__all__ = ["OtlpSource"]

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_DECODERS = {"/v1/logs": decode_logs, "/v1/traces": decode_traces}
_PATHS = frozenset({*_DECODERS, "/v1/metrics"})
_MOST_BYTES = 64 * 1024 * 1024
_SHOWN = 2048


class OtlpSource:
    """Listens while its context is open.

    :param port: 0 lets the kernel choose; :attr:`endpoint` says which.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        name: str = "otlp",
        host: str = "127.0.0.1",
        port: int = 0,
        mapping: Mapped = None,
    ) -> None:
        self.name = name
        self.recorder = recorder
        self.ending: Ending | None = None
        self.requests = 0
        """Exports taken, metrics included."""
        self._address = (host, port)
        mapping = recorder.mapping if mapping is None else mapping
        self._fields = mapping if isinstance(mapping, FieldMap) else FieldMap(mapping)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Base URL: what ``OTEL_EXPORTER_OTLP_ENDPOINT`` must be.

        :raises SourceError: it does not listen.
        """
        if self._server is None:
            raise SourceError(f"the OTLP endpoint {self.name} is not open; use it in a with block")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def env(self) -> dict[str, str]:
        """Variables that make an OpenTelemetry SDK export here, soon after each event."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRICS_EXPORTER": "none",
        }

    def start(self) -> Self:
        """Listen.

        :raises SourceError: the address is taken.
        """
        handler = type("Handler", (_Handler,), {"otlp": self})
        try:
            self._server = ThreadingHTTPServer(self._address, handler)
        except OSError as error:
            host, port = self._address
            raise SourceError(f"cannot listen on {host}:{port} for OTLP: {error}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"narration source {self.name}",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self, timeout: float = 10.0) -> Ending:
        """Stop listening, once the exports that have arrived are read."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            if self._thread is not None:
                self._thread.join(timeout)
        if self.ending is None:
            self.ending = Ending(self.name, "complete", f"{self.requests} exports")
            self.recorder.add_ending(self.ending)
        return self.ending

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def take(self, path: str, kind: str, body: bytes) -> str | None:
        """Read one export; return the reason when it cannot be read."""
        with self._lock:
            self.requests += 1
        if path not in _DECODERS:
            return None
        if kind == _JSON:
            record: Any = read_json(body)
            why = record.why if isinstance(record, NotJson) else "JSON, but not an object"
        else:
            try:
                record, why = _DECODERS[path](body), ""
            except ValueError as error:
                record, why = None, str(error)
        if not isinstance(record, dict):
            self.recorder.add_rejected(Rejected(body[:_SHOWN], f"{path}: {why}", self.name))
            return why
        events = named("otlp").read(record, self._fields)
        for event in [events] if isinstance(events, Event) else events:
            self.recorder.add_event(event, source=self.name)
        return None


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection of an exporter."""

    otlp: OtlpSource
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        body = self._body()
        if body is None:
            return
        if path not in _PATHS:
            self._answer(404, kind, f"no such path; one of {', '.join(sorted(_PATHS))}")
        elif kind not in {_PROTOBUF, _JSON}:
            self._answer(415, _JSON, f"content type {kind!r}; use {_PROTOBUF} or {_JSON}")
        else:
            why = self.otlp.take(path, kind, body)
            self._answer(400 if why else 200, kind, why)

    def _body(self) -> bytes | None:
        """Return the body, unpacked; answer and return ``None`` when it cannot be taken."""
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > _MOST_BYTES:
            self.close_connection = True
            self._answer(411 if not size.isdigit() else 413, _JSON, "Content-Length needed")
            return None
        body = self.rfile.read(int(size))
        if self.headers.get("Content-Encoding", "").lower() != "gzip":
            return body
        try:
            unpack = zlib.decompressobj(wbits=31)
            body = unpack.decompress(body, _MOST_BYTES)
        except zlib.error as error:
            self._answer(400, _JSON, f"not gzip: {error}")
            return None
        if unpack.unconsumed_tail:
            self._answer(413, _JSON, f"more than {_MOST_BYTES} bytes unpacked")
            return None
        return body

    def _answer(self, status: int, kind: str, why: str | None) -> None:
        # A success is an empty message in either encoding; a failure is a google.rpc.Status.
        text = json.dumps({"message": why}).encode() if why else b"{}"
        payload = text if kind == _JSON or why else b""
        self.send_response(status)
        self.send_header("Content-Type", _JSON if payload else _PROTOBUF)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: a test's stderr is the test's."""
