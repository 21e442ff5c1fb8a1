"""What the three services say of their interfaces, held against what they answer.

Schemathesis makes requests from the documents, right and wrong ones, and checks every answer: its
status, content type, headers and body are documented. No service may fail: 503 says only that
there is no room, and why. ``OPENAPI_EXAMPLES=500`` makes thousands of requests.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import harness.services
from harness.cluster import Cluster, local_cluster
from pytest_narration import schema
from pytest_narration.recorder import Recorder
from pytest_narration.sse import Decoder

_SERVICES = ("orchestrator", "pool_manager", "worker")
_EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "6"))
_LEFT_OUT = {("worker", "POST", "/shutdown")}
"""Operations that end the service; tests of its life call them."""
_FOLDER = Path(harness.services.__file__).parent
_CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_NO_ROOM = ("overloaded", "unavailable")


def _document(service: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_FOLDER / service / "openapi.json").read_text("utf-8"))
    return document


def _operations() -> Iterator[Any]:
    for service in _SERVICES:
        for found in schemathesis.openapi.from_dict(_document(service)).get_all_operations():
            operation = found.ok()
            if (service, operation.method.upper(), operation.path) not in _LEFT_OUT:
                yield pytest.param(service, operation, id=f"{service} {operation.label}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of this module's own: its registry fills with nodes that are none."""
    with local_cluster(Recorder(), slots=2) as running:
        yield running


@pytest.fixture(scope="module")
def known(cluster: Cluster) -> dict[str, list[str]]:
    """Ids that exist, for requests that are more than a 404."""
    job = cluster.submit(correlation_id="known")
    cluster.open_stream(job).wait_done(60)
    return {
        "job_id": [job.job_id],
        "worker_id": ["worker-gpu0-r1"],
        "pool_id": [str(cluster.client().get("/v2/nodes").json()["nodes"][0]["pool_id"])],
    }


def _url(cluster: Cluster, service: str) -> str:
    if service == "worker":
        return cluster.worker().url
    return cluster.orchestrator.url if service == "orchestrator" else cluster.pool_managers[0].url


@pytest.mark.parametrize("service", _SERVICES)
def test_a_document_is_valid_and_every_reference_leads_somewhere(service: str) -> None:
    document = _document(service)
    schemathesis.openapi.from_dict(document).validate()
    text = json.dumps(document)
    for reference in set(text.split('"$ref": "')[1:]):
        place: Any = document
        for part in reference.partition('"')[0].split("/")[1:]:
            place = place[part.replace("~1", "/")]


@pytest.mark.parametrize("service", _SERVICES)
def test_the_frames_of_a_document_are_those_of_the_contract(service: str) -> None:
    document = _document(service)
    described = document["components"]["schemas"]
    told: set[str] = set()
    for kind, frame in schema.load("sse-frame.v1")["$defs"].items():
        mine = copy.deepcopy(described[f"{kind.capitalize()}Frame"])
        assert mine["required"] == frame["required"]
        for name, field in frame["properties"].items():
            if "$ref" not in field:
                assert mine["properties"][name] == field, (kind, name)
        told.add(f"#/components/schemas/{kind.capitalize()}Frame")
    assert {entry["$ref"] for entry in described["Frame"]["oneOf"]} == told


@pytest.mark.parametrize(("service", "operation"), list(_operations()))
def test_every_answer_is_documented_and_none_is_a_failure(
    cluster: Cluster, known: dict[str, list[str]], service: str, operation: Any
) -> None:
    url = _url(cluster, service)
    authorization = {"Authorization": f"Bearer {cluster.token}"}
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    ) if _can_be_wrong(operation) else operation.as_strategy()  # fmt: skip

    @given(case=cases, is_known=st.booleans(), number=st.integers(0, 9))
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, is_known: bool, number: int) -> None:
        is_let_in = number != 5  # one in ten; 0 and 9 are drawn far more often
        for name, values in known.items():
            if is_known and case.path_parameters and name in case.path_parameters:
                case.path_parameters[name] = values[0]
        case.body = _short(case.body)
        # Its own headers first: what is generated must not let the request in.
        case.headers = {k: v for k, v in (case.headers or {}).items() if k != "Authorization"}
        headers = authorization if is_let_in else {}
        response = case.call(base_url=url, headers=headers, timeout=60)
        case.validate_response(
            response,
            checks=_CHECKS,
        )
        if response.status_code >= 500:
            assert response.status_code == 503, response.text
            assert json.loads(response.content)["error"]["code"] in _NO_ROOM, response.text
        if "text/event-stream" in str(response.headers.get("content-type")):
            _check_frames(response.content)
        assert response.headers.get("x-correlation-id"), "every answer tells its correlation id"
        assert response.headers.get("x-request-id")

    ask()


def _check_frames(content: bytes) -> None:
    """Hold each frame against the contract, and its `event:` against its data.

    Schemathesis reads the beginning of a stream; how streams end is the feature files' business.
    """
    decoder = Decoder()
    frames = [frame for frame in decoder.feed(content) if frame.data != "[DONE]"]
    assert frames, content
    for frame in frames:
        data = json.loads(frame.data)
        assert schema.validate(data, name="sse-frame.v1") == []
        assert frame.type == data["type"]


def _can_be_wrong(operation: Any) -> bool:
    """Whether there is anything in a request that could be made wrong."""
    return bool(operation.body or operation.query or operation.headers)


def _short(body: Any) -> Any:
    """Return a job's body so that the job takes milliseconds; what is wrong with it stays."""
    if not isinstance(body, dict):
        return body
    short = dict(body)
    if isinstance(short.get("max_tokens"), int) and 1 <= short["max_tokens"] <= 1024:
        short["max_tokens"] = min(short["max_tokens"], 4)
    elif "prompt" in short and "max_tokens" not in short:
        short["max_tokens"] = 4
    if isinstance(short.get("max_tok_per_s"), int) and 1 <= short["max_tok_per_s"] <= 100_000:
        short["max_tok_per_s"] = 100_000
    return short
