"""What a test's own HTTP client sends and receives becomes exchanges, without any ceremony."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests

from pytest_narration.errors import ConfigurationError
from pytest_narration.recorder import Exchange, Recorder
from pytest_narration.sources import watch

SENT = {"X-Correlation-Id": "c-1"}


class Echo(BaseHTTPRequestHandler):
    """Answers with the correlation id of the request; ``/moved`` points elsewhere."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/moved" else 404)
        self.send_header("X-Correlation-Id", self.headers.get("X-Correlation-Id", "none"))
        self.send_header("Location", "/there")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def told(exchange: Exchange) -> tuple[object, ...]:
    sent, received = exchange.request_headers, exchange.response_headers
    name = "x-correlation-id"
    return exchange.method, exchange.status, sent.get(name), received.get(name)


def test_calls_of_an_httpx_client_are_recorded_redirects_too(recorder: Recorder, url: str) -> None:
    with watch(httpx.Client(base_url=url, follow_redirects=True), recorder) as client:
        client.get("/moved", headers=SENT)
    first, second = recorder.exchanges
    assert told(first) == ("GET", 302, "c-1", "c-1")
    assert told(second) == ("GET", 404, "c-1", "c-1")
    assert (first.url, first.source) == (f"{url}/moved", "test")


def test_calls_of_an_asynchronous_client_are_recorded(recorder: Recorder, url: str) -> None:
    async def call() -> None:
        async with watch(httpx.AsyncClient(base_url=url), recorder, source="customer") as client:
            await client.get("/", headers=SENT)

    asyncio.run(call())
    [exchange] = recorder.exchanges
    assert told(exchange) == ("GET", 404, "c-1", "c-1")
    assert exchange.source == "customer"


def test_calls_of_a_requests_session_are_recorded(recorder: Recorder, url: str) -> None:
    with watch(requests.Session(), recorder) as session:
        session.get(url, headers={"X-Correlation-Id": b"c-1"})
    assert [told(exchange) for exchange in recorder.exchanges] == [("GET", 404, "c-1", "c-1")]


def test_watching_twice_records_once(recorder: Recorder, url: str) -> None:
    with httpx.Client() as client:
        assert watch(watch(client, recorder), recorder) is client
        client.get(url)
    assert len(recorder.exchanges) == 1


def test_a_client_keeps_the_hooks_that_it_has(recorder: Recorder, url: str) -> None:
    seen: list[int] = []
    hooks = {"response": [lambda response: seen.append(response.status_code)]}
    with watch(httpx.Client(event_hooks=hooks), recorder) as client:
        client.get(url)
    assert seen == [404]
    assert len(recorder.exchanges) == 1


def test_another_kind_of_client_is_refused_with_the_choices(recorder: Recorder) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot watch a builtins\.dict: .*add_exchange"):
        watch({}, recorder)
