"""An ASGI application behind the middleware: ids in, ids out, on every kind of response."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route

from pytest_narration.emit import current_context, narrate, narration_context
from pytest_narration.emit.asgi import NarrationMiddleware
from pytest_narration.emit.clients_httpx import AsyncNarrationTransport
from tests.unit.servers import asgi_server

EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def ok(request: Request) -> JSONResponse:
    narrate("work", "Worked", actor="app")
    return JSONResponse({"correlation_id": current_context().get("correlation_id")})  # type: ignore[union-attr]


async def stream(request: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            event_id = narrate("chunk", "Sent a chunk", actor="app")
            yield f"{event_id}\n".encode()

    return StreamingResponse(body())


async def fail(request: Request) -> JSONResponse:
    narrate("work", "Worked", actor="app")
    raise RuntimeError("secret detail")


async def refuse(request: Request) -> JSONResponse:
    raise HTTPException(409, "conflict")


async def own_headers(request: Request) -> JSONResponse:
    narrate("work", "Worked", actor="app")
    own = {"x-correlation-ID": "app-1", "X-NARRATION-CAUSE": "app-2"}
    return JSONResponse({}, headers=own)


async def context_values(request: Request) -> JSONResponse:
    context = current_context()
    assert context is not None
    return JSONResponse({**context.values, "channel": context.channel is not None})


ROUTES = [
    Route("/ok", ok, methods=["GET", "POST"]),
    Route("/stream", stream),
    Route("/fail", fail),
    Route("/refuse", refuse),
    Route("/own", own_headers),
    Route("/values", context_values),
]
APP = NarrationMiddleware(Starlette(routes=ROUTES))


def client(app: Any = APP, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", **options)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "status"),
    [("/ok", 200), ("/stream", 200), ("/fail", 500), ("/refuse", 409), ("/absent", 404)],
)
async def test_every_response_carries_the_callers_correlation_id(path: str, status: int) -> None:
    async with client() as http:
        answer = await http.get(path, headers={"X-Correlation-Id": "c-1"})
    assert answer.status_code == status
    assert answer.headers["x-correlation-id"] == "c-1"
    assert answer.headers["x-request-id"] == "c-1"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/ok", "/fail"])
async def test_the_response_names_the_last_event_before_it(
    path: str, narrated: list[dict[str, Any]]
) -> None:
    async with client() as http:
        answer = await http.get(path)
    assert answer.headers["x-narration-cause"] == narrated[-1]["event_id"]
    assert {event["correlation_id"] for event in narrated} == {answer.headers["x-correlation-id"]}


@pytest.mark.asyncio
async def test_before_anything_is_narrated_no_cause_is_named() -> None:
    async with client() as http:
        answer = await http.get("/absent")
    assert "x-narration-cause" not in answer.headers


@pytest.mark.asyncio
async def test_a_streamed_body_runs_in_the_context_of_its_request(
    narrated: list[dict[str, Any]],
) -> None:
    async with client() as http:
        answers = await asyncio.gather(
            *(http.get("/stream", headers={"X-Correlation-Id": f"c-{n}"}) for n in range(10))
        )
    said = {event["event_id"]: event["correlation_id"] for event in narrated}
    for n, answer in enumerate(answers):
        lines = answer.text.split()
        assert [said[line] for line in lines] == [f"c-{n}"] * 3


@pytest.mark.asyncio
async def test_an_application_that_fails_is_answered_for_and_narrated(
    narrated: list[dict[str, Any]],
) -> None:
    """Without its exception's text, which may hold anything; the server gets the exception."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret detail")

    async with client(NarrationMiddleware(app)) as http:
        answer = await http.get("/", headers={"X-Correlation-Id": "c-1"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert answer.headers["x-correlation-id"] == "c-1"
    (event,) = narrated
    assert (event["action"], event["level"]) == ("request_failed", "error")
    assert event["error_kind"] == "RuntimeError"
    assert answer.headers["x-narration-cause"] == event["event_id"]
    assert "secret" not in answer.text + json.dumps(narrated)
    transport = httpx.ASGITransport(app=NarrationMiddleware(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        with pytest.raises(RuntimeError, match="secret detail"):
            await http.get("/")


@pytest.mark.asyncio
async def test_a_failure_after_the_response_began_is_left_to_the_server() -> None:
    messages: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise RuntimeError("too late")

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "headers": []}
    with pytest.raises(RuntimeError, match="too late"):
        await NarrationMiddleware(app)(scope, receive, send)
    assert [message["type"] for message in messages] == ["http.response.start"]
    names = [name for name, _ in messages[0]["headers"]]
    assert names == [b"x-correlation-id", b"x-request-id"]


@pytest.mark.asyncio
async def test_an_application_that_forgets_to_answer_is_answered_for(
    narrated: list[dict[str, Any]],
) -> None:
    """A server's own page for it has no ids."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async with client(NarrationMiddleware(app)) as http:
        answer = await http.get("/", headers={"X-Request-Id": "c-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "c-1"
    (event,) = narrated
    assert (event["action"], event["error_kind"]) == ("request_failed", "NoResponse")


@pytest.mark.asyncio
async def test_a_caller_who_left_is_not_answered(narrated: list[dict[str, Any]]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def send(message: Any) -> None:
        raise AssertionError(f"sent {message}")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await NarrationMiddleware(app)({"type": "http", "headers": []}, receive, send)
    assert narrated == []


@pytest.mark.asyncio
async def test_a_middleware_within_another_leaves_the_request_to_it(
    narrated: list[dict[str, Any]],
) -> None:
    """A mounted application may bring its own: the request is still one, with one id."""
    inner = NarrationMiddleware(Starlette(routes=ROUTES))
    async with client(NarrationMiddleware(Starlette(routes=[Mount("/sub", inner)]))) as http:
        answer = await http.get("/sub/ok", headers={"X-Correlation-Id": "not an id"})
    assert [event["action"] for event in narrated] == ["correlation_id_replaced", "work"]
    ids = {event["correlation_id"] for event in narrated}
    assert ids == {answer.headers["x-correlation-id"]} == {answer.json()["correlation_id"]}
    assert answer.headers.get_list("x-narration-cause") == [narrated[-1]["event_id"]]


@pytest.mark.asyncio
async def test_a_scope_that_is_used_again_is_another_request() -> None:
    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(dict(message.get("headers", ())).get(b"x-correlation-id"))

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/absent", "headers": []}
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await NarrationMiddleware(raises)(scope, receive, send)
    starts = [correlation for correlation in answered if correlation]
    assert len(set(starts)) == 2


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError


@pytest.mark.asyncio
async def test_headers_of_the_application_are_left_alone_in_any_spelling() -> None:
    async with client() as http:
        answer = await http.get("/own")
    assert answer.headers.get_list("x-correlation-id") == ["app-1"]
    assert answer.headers.get_list("x-narration-cause") == ["app-2"]
    assert answer.headers["x-request-id"] == "app-1"


@pytest.mark.asyncio
async def test_a_correlation_id_from_the_body_is_echoed() -> None:
    """The application binds it while it answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with narration_context(correlation_id="from-body", job_id="j"):
            narrate("accept", "Accepted", actor="app")
            await JSONResponse({})(scope, receive, send)

    async with client(NarrationMiddleware(app)) as http:
        answer = await http.get("/")
    assert answer.headers["x-correlation-id"] == "from-body"
    assert EVENT_ID.fullmatch(answer.headers["x-narration-cause"])


@pytest.mark.asyncio
async def test_a_refused_correlation_id_is_narrated_and_its_replacement_echoed(
    narrated: list[dict[str, Any]],
) -> None:
    async with client() as http:
        answer = await http.get("/absent", headers={"X-Correlation-Id": "<b>" + "x" * 500})
    (event,) = narrated
    assert event["action"] == "correlation_id_replaced"
    assert event["level"] == "warn"
    assert answer.headers["x-correlation-id"] == event["correlation_id"]
    assert "<b>" not in json.dumps(event)


@pytest.mark.asyncio
async def test_a_call_within_one_process_does_not_hand_over_the_callers_context() -> None:
    """Its job and its stream are the caller's own; only what headers carry goes along."""

    class Stream:
        job_id = "caller"
        is_open = True

        def put(self, line: bytes) -> None:
            raise AssertionError("an event of the callee on the caller's stream")

    with narration_context(correlation_id="c-1", job_id="caller", worker_id="w", channel=Stream()):
        own = AsyncNarrationTransport(httpx.ASGITransport(app=APP))
        async with httpx.AsyncClient(transport=own, base_url="http://service") as http:
            values = (await http.get("/values")).json()
            await http.get("/ok")
        context = current_context()
        assert context is not None
        assert context.get("job_id") == "caller"
        assert len(context.trail.pending) == 1
    assert values["correlation_id"] == "c-1"
    assert values["parent_job_id"] == "caller"
    assert not values["channel"]
    assert not {"job_id", "worker_id"} & values.keys()


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_web_sockets_and_lifespan_pass_through(kind: str) -> None:
    passed: list[Any] = []

    async def app(*connection: Any) -> None:
        passed.extend(connection)
        assert current_context() is None

    async def send(message: Any) -> None: ...

    connection = ({"type": kind}, None, send)
    await NarrationMiddleware(app)(*connection)  # type: ignore[arg-type]
    assert all(here is there for here, there in zip(passed, connection, strict=True))


@pytest.mark.asyncio
async def test_nothing_is_bound_after_the_request() -> None:
    async with client() as http:
        await http.get("/ok")
    assert current_context() is None


@pytest.mark.asyncio
async def test_a_message_is_not_changed_under_the_application() -> None:
    start = {"type": "http.response.start", "status": 204, "headers": ((b"a", b"b"),)}
    kept = dict(start)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body"})

    async with client(NarrationMiddleware(app)) as http:
        answer = await http.get("/")
    assert start == kept
    assert answer.headers["a"] == "b"
    assert "x-correlation-id" in answer.headers


def test_a_real_server_delivers_the_ids_of_a_failure() -> None:
    """uvicorn: its own error path has no ids, ours has; the process goes on."""
    with asgi_server(APP) as url:
        for path in ("/fail", "/ok"):
            # uvicorn closes the connection of a request that raised, answered or not.
            answer = httpx.get(f"{url}{path}", headers={"X-Request-Id": "c-1"})
            assert answer.headers["x-correlation-id"] == "c-1"
            assert EVENT_ID.fullmatch(answer.headers["x-narration-cause"])
