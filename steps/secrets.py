"""Secrets that a client lets slip into whatever it sends, and where they must not be found."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from .scene import STREAM_SECONDS, Scene, within

_BODY = {"operation": "infer", "prompt": "Who goes there?", "max_tokens": 1}

# Made up, and put together here so that no scanner takes them for real ones.
_SECRETS = {
    "a bearer token": "Bearer " + "mF9xB5f41JqMabcdefgh",
    "an API key": "sk-" + "live4eC39HqLyjWDarjtT1zdp7dc",
    "a cloud's access key": "AKIA" + "IOSFODNN7EXAMPLF",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N",
    "a password in a URL": "postgres://admin:" + "hunter2hunter2@db.example/app",
    "a password": "password=" + "correct-horse-battery",
}
_TELLING = {
    "a bearer token": "mF9xB5f41JqMabcdefgh",
    "a password in a URL": "hunter2hunter2",
    "a password": "correct-horse-battery",
}
"""The part that is secret, where the rest is not."""


@pytest.fixture
def secret() -> list[str]:
    """The secret parts that the scenario has let slip."""
    return []


@given(parsers.parse("a client that is careless with {kind}"), target_fixture="slipped")
def _careless(secret: list[str], kind: str) -> str:
    secret.append(_TELLING.get(kind, _SECRETS[kind]))
    return _SECRETS[kind]


@when("it is in the prompt of a job")
def _prompt(scene: Scene, slipped: str) -> None:
    scene.submit(prompt=f"Please use {slipped} and hurry", max_tokens=5)
    within(STREAM_SECONDS, "reading the stream", [scene.open_stream()])


@when("it is in the prompt of a job that fails")
def _failing(scene: Scene, slipped: str) -> None:
    prompt = f"Please use {slipped} and hurry. " + "x" * 2000
    scene.submit(prompt=prompt, max_tokens=5)
    within(STREAM_SECONDS, "reading the stream", [scene.open_stream()])


@when("it is in what the orchestrator refuses")
def _refused(scene: Scene, slipped: str) -> None:
    client = scene.cluster.client()
    wrong = [
        client.post("/v1/jobs", json={**_BODY, "operation": slipped}),
        client.post("/v1/jobs", json={**_BODY, slipped: 1}),
        client.post("/v1/jobs", content=f'{{"prompt": {slipped}', headers=_AS_JSON),
        client.post("/v1/jobs", content="x", headers={"Content-Type": slipped}),
        client.get("/v1/jobs/" + httpx.URL(path="/" + slipped).raw_path[1:].decode()),
        client.get("/v1/nothing", params={"token": slipped}),
    ]
    assert {answer.status_code // 100 for answer in wrong} == {4}
    scene.answers += wrong


_AS_JSON = {"Content-Type": "application/json"}


@when("it is in every header that the cluster reads, and in a correlation id")
def _headers(scene: Scene, slipped: str) -> None:
    client = scene.cluster.client()
    for name in ("X-Correlation-Id", "X-Request-Id", "X-Parent-Job-Id", "traceparent",
                 "tracestate", "Last-Event-ID", "User-Agent"):  # fmt: skip
        client.post("/v1/jobs", json={**_BODY, "prompt": ""}, headers={name: slipped})
    # Where it has the form of an id it is one: the job runs under it.
    client.post("/v1/jobs", json={**_BODY, "correlation_id": slipped})
    stranger = scene.cluster.client("")
    stranger.post("/v1/jobs", json=_BODY, headers={"Authorization": slipped})


@then("no service told it to anyone")
def _told_nowhere(scene: Scene, secret: list[str]) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    texts = list(_said(scene))
    assert texts, "nothing was narrated"
    for part in secret:
        found = [text for text in texts if part in text]
        assert not found, f"{part!r} is in: {found[0][:500]}"


def _said(scene: Scene) -> Iterator[str]:
    """Yield what services printed and streamed: events, frames, lines that are none."""
    yield from (str(record.event) for record in scene.narration.records())
    yield from (frame.data for frame in scene.narration.frames())
    yield from (rejected.line.decode("utf-8", "replace") for rejected in scene.narration.rejected)
    for service in scene.cluster.services:
        yield from service.logs()
