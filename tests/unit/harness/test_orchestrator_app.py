"""The orchestrator's HTTP interface without its loop: what a node may register as."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from harness.services.orchestrator.app import Orchestrator
from harness.services.orchestrator.settings import Settings
from harness.services.web import Tokens

_NODE: dict[str, Any] = {
    "node_id": "node-0",
    "address": "127.0.0.1:8080",
    "pool_id": "pool-0",
    "instance": "pool-manager-host-4711-6f1c9a2e",
}


def _register(body: dict[str, Any]) -> tuple[httpx.Response, list[str]]:
    """Return the answer, and the nodes that are known afterwards."""
    orchestrator = Orchestrator(Settings(), Tokens("t"))

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=orchestrator.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://o") as client:
            return await client.post(
                "/v2/nodes/register", json=body, headers={"Authorization": "Bearer t"}
            )

    answer = asyncio.run(call())
    return answer, [node.id for node in orchestrator.nodes.all()]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "[::1]:65535", "pool-manager_0.example:8080", "[::ffff:10.0.0.1]:80"],
)
def test_a_node_registers_with_its_name_and_address(address: str) -> None:
    answer, known = _register({**_NODE, "address": address})
    assert (answer.status_code, known) == (201, ["node-0"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node_id", "a/b"),
        ("node_id", ".."),
        ("node_id", "node 0"),
        ("node_id", "nöde"),
        ("node_id", "node-0\n"),
        ("pool_id", "pool?0"),
        ("instance", "one two"),
        ("instance", "a\r\nb"),
        ("address", "127.0.0.1"),
        ("address", "127.0.0.1:0"),
        ("address", "127.0.0.1:65536"),
        ("address", "127.0.0.1:08080"),
        ("address", "127.0.0.1:٣٣"),
        ("address", ":8080"),
        ("address", "::1:8080"),
        ("address", "[]:8080"),
        ("address", "http://127.0.0.1:8080"),
        ("address", "user@host:8080"),
        ("address", "host:8080/path"),
        ("address", "host:8080\n"),
    ],
)
def test_a_node_that_could_not_be_reached_or_named_is_refused(name: str, value: str) -> None:
    """Its name is a part of paths, its address of every URL that jobs are sent to."""
    answer, known = _register({**_NODE, name: value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert f"`{name}` must be " in answer.json()["error"]["message"]
    assert known == []
