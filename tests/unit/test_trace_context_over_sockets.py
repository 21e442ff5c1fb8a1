"""The validation suite against services that real servers run and real clients call from."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_narration.emit.asgi import NarrationMiddleware
from pytest_narration.emit.clients_aiohttp import aiohttp_trace_config
from pytest_narration.emit.clients_httpx import AsyncNarrationTransport, instrument_httpx
from pytest_narration.emit.clients_requests import instrument_requests
from pytest_narration.emit.wsgi import NarrationMiddleware as WsgiMiddleware
from tests.unit.servers import asgi_server, serving, wsgi_server
from tests.unit.trace_context_suite import SUITE, judge, outgoing, suite_ids

Service = Callable[[bool], AbstractContextManager[str]]


class Callbacks:
    """The suite's end of the service's calls: which headers came, as they came."""

    def __init__(self) -> None:
        self.received: list[list[tuple[str, str]]] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                received.append(self.headers.items())
                self.send_response(200)
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(b"null")

            def log_message(self, format: str, *args: Any) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            with serving(server) as url:
                yield url


def asgi_app(call: Callable[[str], Any]) -> Any:
    """A service that calls every URL it is told to."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        for url in json.loads(body):
            await call(url)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    return app


@contextmanager
def uvicorn_and_httpx(spans: bool) -> Iterator[str]:
    import httpx

    async def call(url: str) -> None:
        # Certificates take most of a client's life to read.
        plain = httpx.AsyncHTTPTransport(verify=False)
        if spans:
            client = httpx.AsyncClient(transport=AsyncNarrationTransport(plain, spans=True))
        else:
            client = instrument_httpx(httpx.AsyncClient(transport=plain))
        async with client:
            await client.post(url, content=b"[]")

    with asgi_server(NarrationMiddleware(asgi_app(call), spans=spans)) as url:
        yield url


@contextmanager
def uvicorn_and_aiohttp(spans: bool) -> Iterator[str]:
    import aiohttp

    async def call(url: str) -> None:
        traced = [aiohttp_trace_config(spans=spans)]
        async with (
            aiohttp.ClientSession(trace_configs=traced) as session,
            session.post(url, data=b"[]"),
        ):
            pass

    with asgi_server(NarrationMiddleware(asgi_app(call), spans=spans)) as url:
        yield url


@contextmanager
def wsgiref_and_requests(spans: bool) -> Iterator[str]:
    import requests

    session = instrument_requests(requests.Session(), spans=spans)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        for url in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))):
            session.post(url, data=b"[]", timeout=5)
        start_response("204 No Content", [])
        return []

    with session, wsgi_server(WsgiMiddleware(app, spans=spans)) as url:
        yield url


def ask(url: str, headers: list[tuple[str, str]], urls: list[str]) -> None:
    """Send a request whose headers nobody tidies up, twice the same name included."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    body = json.dumps(urls).encode()
    connection.putrequest("POST", "/test")
    for name, value in [*headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 204, f"the service answered {answer.status}"
    assert answer.getheader("X-Correlation-Id")


SERVICES: list[Service] = [uvicorn_and_httpx, uvicorn_and_aiohttp, wsgiref_and_requests]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("spans", ["none", "sampled", "dropped"])
def test_the_validation_suite_holds_over_sockets(
    service: Service, spans: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers join, trim and rename headers before an application sees them."""
    with ExitStack() as stack:
        if spans != "none":
            sampling = pytest.importorskip("opentelemetry.sdk.trace.sampling")
            from tests.unit.tracing import traced

            sampler = sampling.ALWAYS_ON if spans == "sampled" else sampling.ALWAYS_OFF
            stack.enter_context(traced(monkeypatch, sampler=sampler))
        callbacks = Callbacks()
        harness = stack.enter_context(callbacks.running())
        url = stack.enter_context(service(spans != "none"))
        failed = []
        for case, name in zip(SUITE, suite_ids(), strict=True):
            callbacks.received.clear()
            ask(url, case.sent, [f"{harness}/{number}" for number in range(case.calls)])
            try:
                judge(case, [outgoing(headers) for headers in callbacks.received])
            except AssertionError as error:
                failed.append(f"{name}: {error}")
    assert not failed, "\n".join(failed)
