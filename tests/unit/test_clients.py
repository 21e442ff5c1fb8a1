"""Clients carry the context to a real server and learn from its answers."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pytest_narration.emit import narrate, narration_context
from pytest_narration.emit.clients_aiohttp import aiohttp_trace_config
from pytest_narration.emit.clients_httpx import (
    AsyncNarrationTransport,
    NarrationTransport,
    instrument_httpx,
)
from pytest_narration.emit.clients_requests import NarrationAdapter, instrument_requests
from pytest_narration.emit.headers import extract
from pytest_narration.errors import MissingExtra
from tests.unit.servers import wsgi_server

EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
HOP = "01890a5d-ac96-774b-bcce-b302099a8058"


class Server:
    """Records the headers of each request; ``/hop`` redirects to ``/``."""

    def __init__(self) -> None:
        self.requests: list[list[tuple[str, str]]] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.requests.append(environ["narration.headers"])
        if environ["PATH_INFO"] == "/hop":
            start_response("307 Hop", [("Location", "/"), ("X-Narration-Cause", HOP)])
        else:
            start_response("200 OK", [("X-Narration-Cause", EVENT)])
        return [b""]


Given = dict[str, str] | None


def with_httpx_transport(url: str, headers: Given = None) -> None:
    with httpx.Client(transport=NarrationTransport(), follow_redirects=True) as client:
        client.get(url, headers=headers).raise_for_status()


def with_httpx_async_transport(url: str, headers: Given = None) -> None:
    async def call() -> None:
        transport = AsyncNarrationTransport()
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            (await client.get(url, headers=headers)).raise_for_status()

    asyncio.run(call())


def with_httpx_hooks(url: str, headers: Given = None) -> None:
    with instrument_httpx(httpx.Client(follow_redirects=True)) as client:
        client.get(url, headers=headers).raise_for_status()


def with_httpx_async_hooks(url: str, headers: Given = None) -> None:
    async def call() -> None:
        async with instrument_httpx(httpx.AsyncClient(follow_redirects=True)) as client:
            (await client.get(url, headers=headers)).raise_for_status()

    asyncio.run(call())


def with_aiohttp(url: str, headers: Given = None) -> None:
    import aiohttp

    async def call() -> None:
        async with (
            aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session,
            session.get(url, headers=headers) as answer,
        ):
            answer.raise_for_status()

    asyncio.run(call())


def with_requests(url: str, headers: Given = None) -> None:
    import requests

    with instrument_requests(requests.Session()) as session:
        session.get(url, headers=headers, timeout=5).raise_for_status()


CLIENTS = [
    with_httpx_transport,
    with_httpx_async_transport,
    with_httpx_hooks,
    with_httpx_async_hooks,
    with_aiohttp,
    with_requests,
]


@pytest.mark.parametrize("call", CLIENTS)
def test_a_call_carries_the_context_and_its_answer_becomes_a_cause(
    call: Callable[..., None],
) -> None:
    server = Server()
    with wsgi_server(server) as url, narration_context(correlation_id="c-1", job_id="j") as context:
        event = narrate("call", "Calling", actor="test")
        call(url)
        assert context.trail.pending == [EVENT]
    (headers,) = server.requests
    incoming = extract(headers)
    assert incoming.correlation_id == "c-1"
    assert incoming.parent_job_id == "j"
    assert incoming.cause == (event,)


@pytest.mark.parametrize("call", CLIENTS)
def test_a_redirect_is_a_hop_of_its_own(call: Callable[..., None]) -> None:
    """It has one traceparent, with another parent id, and knows what the first hop answered."""
    server = Server()
    with wsgi_server(server) as url, extract({}).context() as context:
        event = narrate("call", "Calling", actor="test")
        call(f"{url}/hop")
        assert context.trail.pending == [HOP, EVENT]
    first, second = map(extract, server.requests)
    assert first.trace_id == second.trace_id == context.get("trace_id")
    assert first.parent_id != second.parent_id
    assert second.cause == (event, HOP)


@pytest.mark.parametrize("call", CLIENTS)
@pytest.mark.parametrize("path", ["", "/hop"])
def test_a_correlation_id_that_the_caller_gives_a_call_is_kept(
    call: Callable[..., None], path: str
) -> None:
    """What is said of one call wins over the context; the trace is of this call in any case."""
    server = Server()
    given = {"x-correlation-ID": "mine", "Traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with wsgi_server(server) as url, extract({"X-Correlation-Id": "c-1"}).context() as context:
        call(f"{url}{path}", given)
    for headers in server.requests:
        names = [name.lower() for name, _ in headers]
        assert names.count("x-correlation-id") == names.count("traceparent") == 1
        assert extract(headers).correlation_id == "mine"
        assert extract(headers).trace_id == context.get("trace_id")
    assert given["x-correlation-ID"] == "mine"


def test_hosts_that_are_not_ours_are_told_nothing() -> None:
    """The libraries' own mounts say which hosts a transport is for."""
    import requests

    server = Server()
    ours = {"all://localhost": NarrationTransport()}
    with wsgi_server(server) as url, narration_context(correlation_id="c-1"):
        known = url.replace("127.0.0.1", "localhost")
        with httpx.Client(mounts=ours) as client, requests.Session() as session:
            session.mount(known, NarrationAdapter(requests.adapters.HTTPAdapter()))
            for address in (known, url):
                client.get(address)
                session.get(address, timeout=5)
    told = ["X-Correlation-Id" in dict(headers) for headers in server.requests]
    assert told == [True, True, False, False]


def test_a_request_that_is_sent_again_carries_the_context_it_is_sent_in() -> None:
    """What was written the first time is nothing that the caller gave."""
    import requests

    server = Server()
    with wsgi_server(server) as url:
        prepared = requests.Request("GET", url).prepare()
        with (
            httpx.Client(transport=NarrationTransport()) as wrapped,
            instrument_httpx(httpx.Client()) as hooked,
            instrument_requests(requests.Session()) as session,
        ):
            built = [client.build_request("GET", url) for client in (wrapped, hooked)]
            for correlation in ("c-1", "c-2"):
                with narration_context(correlation_id=correlation):
                    wrapped.send(built[0])
                    hooked.send(built[1])
                    session.send(prepared, timeout=5)
    assert [extract(headers).correlation_id for headers in server.requests] == [
        *["c-1"] * 3,
        *["c-2"] * 3,
    ]


@pytest.mark.parametrize("call", CLIENTS)
def test_an_id_that_may_not_travel_is_not_kept(call: Callable[..., None]) -> None:
    """A proxy passes its caller's headers on; what was refused there goes no further."""
    server = Server()
    with wsgi_server(server) as url, extract({"X-Correlation-Id": "c-1"}).context():
        call(url, {"X-Correlation-Id": "<script>"})
    assert [v for n, v in server.requests[0] if n.lower() == "x-correlation-id"] == ["c-1"]


@pytest.mark.parametrize("call", CLIENTS)
def test_without_a_context_a_call_carries_nothing_of_ours(call: Callable[..., None]) -> None:
    server = Server()
    with wsgi_server(server) as url:
        call(url)
    names = {name.lower() for name, _ in server.requests[0]}
    assert not names & {"x-correlation-id", "traceparent", "tracestate", "x-parent-job-id"}


@pytest.mark.parametrize("call", CLIENTS)
def test_a_failed_call_raises_what_the_client_raises(call: Callable[..., None]) -> None:
    with extract({}).context() as context:
        with pytest.raises(
            OSError if call in (with_aiohttp, with_requests) else httpx.ConnectError
        ):
            call("http://127.0.0.1:1")
        assert context.trail.pending == []


def test_concurrent_calls_keep_their_own_contexts() -> None:
    """One aiohttp session, tasks of different requests."""
    import aiohttp

    server = Server()

    async def call(session: aiohttp.ClientSession, url: str, correlation: str) -> None:
        with narration_context(correlation_id=correlation):
            async with session.get(url, headers={"X-Expected": correlation}):
                pass

    async def calls(url: str) -> None:
        async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()]) as session:
            await asyncio.gather(*(call(session, url, f"c-{n}") for n in range(20)))

    with wsgi_server(server) as url:
        asyncio.run(calls(url))
    assert len(server.requests) == 20
    for headers in server.requests:
        assert dict(headers)["X-Correlation-Id"] == dict(headers)["X-Expected"]


def test_hooks_and_adapters_are_added_once() -> None:
    import requests

    with instrument_httpx(instrument_httpx(httpx.Client())) as client:
        assert [len(hooks) for hooks in client.event_hooks.values()] == [1, 1]
    with instrument_requests(instrument_requests(requests.Session())) as session:
        for adapter in session.adapters.values():
            assert isinstance(adapter, NarrationAdapter)
            assert not isinstance(adapter.wrapped, NarrationAdapter)


def test_hooks_that_were_there_stay() -> None:
    seen: list[str] = []
    hooks = {"request": [lambda request: seen.append(request.headers["X-Mine"])]}
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    client = httpx.Client(transport=transport, event_hooks=hooks)
    with instrument_httpx(client), extract({}).context():
        client.get("http://service", headers={"X-Mine": "kept"})
    assert seen == ["kept"]


@pytest.mark.parametrize(
    ("make", "package"),
    [
        (aiohttp_trace_config, "aiohttp"),
        (NarrationTransport, "httpx"),
        (AsyncNarrationTransport, "httpx"),
    ],
)
def test_a_missing_library_is_named(
    make: Callable[[], object], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=package):
        make()
