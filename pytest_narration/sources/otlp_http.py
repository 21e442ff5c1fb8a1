"""An OTLP/HTTP endpoint that a test opens -> events of what services export to it.

Services in any language that carry an OpenTelemetry SDK need one variable:
``OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:<port>``. Logs and traces are read, protobuf and
JSON, plain and gzip; metrics are accepted and not kept.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from ..errors import SourceError
from ..event import Event
from ..formats import FieldMap, named
from ..formats.loose_json import NotJson, read_json
from ..recorder import Ending, Recorder
from ..wire import Rejected
from .otlp_body import Refused, body_of
from .otlp_wire import decode_logs, decode_traces
from .source import Mapped

__all__ = ["OtlpSource"]

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_DECODERS = {"/v1/logs": decode_logs, "/v1/traces": decode_traces}
_PATHS = frozenset({*_DECODERS, "/v1/metrics"})
_GRPC = (
    "a gRPC client: OTLP over HTTP/1.1 is read here; set OTEL_EXPORTER_OTLP_PROTOCOL="
    "http/protobuf, or use the exporter for OTLP/HTTP"
)
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
        self._lock = threading.Condition()
        self._arriving = 0

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
            self._server = _Server(self._address, handler)
        except OSError as error:
            host, port = self._address
            raise SourceError(f"cannot listen on {host}:{port} for OTLP: {error}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"narration source {self.name}",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self, timeout: float = 10.0) -> Ending:
        """Stop listening, once the exports that are arriving are read.

        :param timeout: seconds that they have to arrive.
        """
        if self.ending is not None:
            return self.ending
        detail, still = f"{self.requests} exports", 0
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            with self._lock:
                self._lock.wait_for(lambda: not self._arriving, timeout)
                still = self._arriving
            detail = f"{self.requests} exports"
        if still:
            exports = "1 export was" if still == 1 else f"{still} exports were"
            self.ending = Ending(self.name, "cut off", f"{exports} still arriving")
        else:
            self.ending = Ending(self.name, "complete", detail)
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
        try:
            record = _read_json(path, body) if kind == _JSON else _DECODERS[path](body)
        except ValueError as error:
            self.refuse(body, f"{path}: {error}")
            return str(error)
        events = named("otlp").read(record, self._fields)
        for event in [events] if isinstance(events, Event) else events:
            self.recorder.add_event(event, source=self.name)
        return None

    def refuse(self, body: bytes, why: str) -> None:
        """Keep what was sent here and could not be taken."""
        self.recorder.add_rejected(Rejected(body[:_SHOWN], why, self.name))

    def is_arriving(self) -> None:
        """Count a request that has begun; :meth:`stop` waits for it."""
        with self._lock:
            self._arriving += 1

    def has_left(self) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._arriving -= 1
            self._lock.notify_all()


def _read_json(path: str, body: bytes) -> dict[str, Any]:
    """Read OTLP/JSON.

    :raises ValueError: it is none.
    """
    record: Any = read_json(body)
    if isinstance(record, NotJson):
        raise ValueError(record.why)
    if not isinstance(record, dict):
        raise ValueError("JSON, but not an object")
    name = "resourceLogs" if path == "/v1/logs" else "resourceSpans"
    groups = record.get(name)
    if record and name not in record:
        raise ValueError(f"the export has no {name}")
    if record and not isinstance(groups, list):
        raise ValueError(f"{name} is no array")
    return record


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: who hung up wants no answer, and what arrived was taken before."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection of an exporter."""

    otlp: OtlpSource
    protocol_version = "HTTP/1.1"
    timeout = 30
    _is_counted = False

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        finally:
            if self._is_counted:
                self._is_counted = False
                self.otlp.has_left()

    def parse_request(self) -> bool:
        self._is_counted = True
        self.otlp.is_arriving()
        return super().parse_request()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        try:
            # The headers are a mapping in all but name.
            body = body_of(cast(Mapping[str, str], self.headers), cast(BinaryIO, self.rfile))
        except Refused as refused:
            self.close_connection = True
            self._refuse(refused.status, path, str(refused), refused.body)
            return
        if path not in _PATHS:
            why = f"no such path; one of {', '.join(sorted(_PATHS))}"
            self._refuse(404, path, why, body)
        elif kind not in {_PROTOBUF, _JSON}:
            why = f"content type {kind!r}; use {_PROTOBUF} or {_JSON}"
            self._refuse(415, path, why, body)
        elif self.otlp.ending is not None:
            self.close_connection = True
            self._answer(503, _JSON, "the endpoint is closed")
        else:
            reason = self.otlp.take(path, kind, body)
            self._answer(400 if reason else 200, kind, reason)

    def _refuse(self, status: int, path: str, why: str, body: bytes) -> None:
        self.otlp.refuse(body, f"{path}: {why}")
        self._answer(status, _JSON, why)

    def do_GET(self) -> None:
        self._answer(405, _JSON, "exports are sent by POST")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP/1.1 request; called by the base class."""
        line: bytes = getattr(self, "raw_requestline", b"")[:_SHOWN].rstrip()
        self.otlp.refuse(line, _GRPC if line.startswith(b"PRI ") else message or str(code))
        super().send_error(code, message, explain)

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
