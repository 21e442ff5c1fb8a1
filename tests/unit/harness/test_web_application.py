"""Who may enter, and how a request is refused, whatever refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.services.web import (
    ApiError,
    Metrics,
    MissingToken,
    Refusal,
    Tokens,
    application,
    owner_of,
    read_json,
    reply,
)

_TOKENS = Tokens("service-secret", ("client-a", "client-b"))


async def _echo(request: Request) -> Response:
    return reply(await read_json(request, limit=1000))


async def _owner(request: Request) -> Response:
    return reply({"owner": owner_of(request.scope)})


async def _break(request: Request) -> Response:
    raise RuntimeError("hunter2")


async def _public(request: Request) -> Response:
    return reply({"status": "ok"})


def _call(
    method: str,
    path: str,
    *,
    token: str | None = "service-secret",
    refusals: list[Refusal] | None = None,
    **options: Any,
) -> httpx.Response:
    app = application(
        [
            Route("/v1/echo", _echo, methods=["POST"]),
            Route("/v1/owner", _owner, methods=["GET"]),
            Route("/v2/owner", _owner, methods=["GET"]),
            Route("/v1/break", _break, methods=["GET"]),
            Route("/health", _public, methods=["GET"]),
        ],
        tokens=_TOKENS,
        on_refusal=(refusals if refusals is not None else []).append,
    )
    headers = {**({"Authorization": f"Bearer {token}"} if token else {})}
    headers |= options.pop("headers", {})

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.request(method, path, headers=headers, **options)

    return asyncio.run(call())


def _code(response: httpx.Response) -> str:
    said = response.json()
    assert list(said) == ["error"]
    assert said["error"]["message"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-correlation-id"]
    return str(said["error"]["code"])


@pytest.mark.parametrize("token", [None, "", "wrong", "service-secre", "service-secret2", "ü"])
def test_a_wrong_token_is_refused_with_a_challenge(token: str | None) -> None:
    header = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    response = _call("GET", "/v1/owner", token=None, headers=header)
    assert (response.status_code, _code(response)) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


def test_another_scheme_or_two_tokens_are_refused() -> None:
    assert _call("GET", "/v1/owner", token=None, headers={"Authorization": "Basic service-secret"})
    for headers in (
        [(b"authorization", b"Basic service-secret")],
        [(b"authorization", b"Bearer service-secret"), (b"authorization", b"Bearer x")],
    ):
        app = application([Route("/", _owner)], tokens=_TOKENS)

        async def call(app: Any = app, headers: Any = headers) -> int:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                return (await client.get("/", headers=headers)).status_code

        assert asyncio.run(call()) == 401


def test_the_scheme_is_case_insensitive() -> None:
    response = _call(
        "GET", "/v1/owner", token=None, headers={"Authorization": "bearer service-secret"}
    )
    assert response.status_code == 200


def test_each_token_is_an_owner_of_its_own_and_is_not_shown() -> None:
    owners = {
        _call("GET", "/v1/owner", token=token).json()["owner"]
        for token in ("service-secret", "client-a", "client-b")
    }
    assert len(owners) == 3
    assert not any("client" in owner or "secret" in owner for owner in owners)


def test_client_tokens_do_not_open_what_is_for_services() -> None:
    assert _call("GET", "/v2/owner").status_code == 200
    response = _call("GET", "/v2/owner", token="client-a")
    assert (response.status_code, _code(response)) == (403, "forbidden")


def test_public_paths_need_no_token() -> None:
    assert _call("GET", "/health", token=None).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/v1/echo/", {}, 404, "not_found"),
        ("DELETE", "/v1/echo", {}, 405, "method_not_allowed"),
        ("POST", "/v1/echo", {"content": b"{}"}, 415, "unsupported_media_type"),
        ("POST", "/v1/echo", {"data": {"a": "b"}}, 415, "unsupported_media_type"),
        ("GET", "/v1/break", {}, 500, "internal_error"),
    ],
)
def test_every_refusal_has_the_same_envelope_and_is_told(
    method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    refusals: list[Refusal] = []
    response = _call(method, path, refusals=refusals, **options)
    assert (response.status_code, _code(response)) == (status, code)
    assert [(told.method, told.path, told.status, told.code) for told in refusals] == [
        (method, path, status, code)
    ]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a":1} x', b"NaN", b'"\\ud800"', b"\xff", b"[" * 900]
)
def test_malformed_json_is_a_400(content: bytes) -> None:
    response = _call(
        "POST", "/v1/echo", content=content, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, _code(response)) == (400, "invalid_request")


def test_a_bug_is_answered_without_its_words_and_printed_for_people(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert "hunter2" not in _call("GET", "/v1/break").text
    assert "RuntimeError: hunter2" in capfd.readouterr().err


def test_json_may_name_its_charset() -> None:
    response = _call(
        "POST",
        "/v1/echo",
        content=b'{"a":"\xc3\xbc"}',
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert response.json() == {"a": "ü"}


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_declared(declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100

    response = _call(
        "POST",
        "/v1/echo",
        content=b" " * 1001 if declared else chunks(),
        headers={"Content-Type": "application/json"},
    )
    assert (response.status_code, _code(response)) == (413, "payload_too_large")


def test_a_body_at_the_limit_is_read() -> None:
    body = b'"' + b"x" * 998 + b'"'
    response = _call("POST", "/v1/echo", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200


def test_the_callers_correlation_id_is_echoed_by_refusals() -> None:
    response = _call("GET", "/nowhere", token=None, headers={"X-Correlation-Id": "c-7"})
    assert response.headers["x-correlation-id"] == "c-7"


@pytest.mark.parametrize("value", ["", "  "])
def test_a_service_without_a_token_does_not_start_and_says_what_to_do(value: str) -> None:
    with pytest.raises(MissingToken, match="export NARRATION_API_TOKEN="):
        Tokens.from_environment({"NARRATION_API_TOKEN": value})


def test_client_tokens_come_from_a_list() -> None:
    tokens = Tokens.from_environment(
        {"NARRATION_API_TOKEN": "s", "NARRATION_CLIENT_TOKENS": " a, ,b "}
    )
    assert [tokens.owner(f"Bearer {shown}") is not None for shown in ("s", "a", "b", "", ",")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_an_error_may_carry_facts_for_programs() -> None:
    error = ApiError("replay_gone", "gone", resume_after=7)
    assert error.body() == b'{"error":{"code":"replay_gone","message":"gone","resume_after":7}}'


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics("svc")
    metrics.counter("jobs_total", "Jobs.", "state")
    metrics.counter("calls_total", "Calls.")
    metrics.gauge("queue", "Waiting.", lambda: 3)
    metrics.add("jobs_total", 'a"b\\c\n')
    metrics.add("jobs_total", "done", 2)
    assert metrics.render() == (
        "# HELP svc_jobs_total Jobs.\n"
        "# TYPE svc_jobs_total counter\n"
        'svc_jobs_total{state="a\\"b\\\\c\\n"} 1\n'
        'svc_jobs_total{state="done"} 2\n'
        "# HELP svc_calls_total Calls.\n"
        "# TYPE svc_calls_total counter\n"
        "svc_calls_total 0\n"
        "# HELP svc_queue Waiting.\n"
        "# TYPE svc_queue gauge\n"
        "svc_queue 3\n"
    )
