"""What services have promised: the description of their interface, their schema, their catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import jsonschema
from pytest_bdd import parsers, then, when

from pytest_narration.coverage import Collector, analyse
from pytest_narration.coverage.capabilities import detect
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.results import PointResult

from .scene import STREAM_SECONDS, Scene

_CATALOG = Path(__file__).parents[1] / "harness" / "narration.toml"
_JOB = {"operation": "infer", "prompt": "Who goes there?", "max_tokens": 1}
_ELSE = "00000000-0000-4000-8000-000000000000"


@when("a client asks everything that the interface offers, rightly and wrongly")
def _everything(scene: Scene) -> None:
    client, stranger = scene.cluster.client(), scene.cluster.client("")
    job_id = scene.submit(max_tokens=1).job_id
    scene.open_stream().wait_done(STREAM_SECONDS)
    scene.answers += [
        client.post("/v1/jobs", json=_JOB),
        client.post("/v1/jobs", json={**_JOB, "prompt": ""}),
        client.post("/v1/jobs", content="infer", headers={"Content-Type": "text/plain"}),
        stranger.post("/v1/jobs", json=_JOB),
        client.get(f"/v1/jobs/{job_id}"),
        client.get(f"/v1/jobs/{_ELSE}"),
        client.get(f"/v1/jobs/{_ELSE}/stream"),
        client.get(f"/v1/jobs/{job_id}/stream", headers={"Last-Event-ID": "soon"}),
        client.post(f"/v1/jobs/{job_id}/cancel"),
        client.get("/v2/nodes"),
        client.post("/v2/nodes/register", json={}),
        client.post("/v2/nodes/nobody/heartbeat", json={"instance": "i", "slots": 0}),
        client.delete("/v2/nodes/nobody"),
        stranger.get("/health"),
    ]


@then("each answer is one that its description allows")
def _described(scene: Scene) -> None:
    document = scene.cluster.client().get("/openapi.json").json()
    assert scene.answers
    for answer in scene.answers:
        schema = _schema(document, answer)
        # References in the description are from its root.
        whole = {**document, **schema}
        jsonschema.Draft202012Validator(whole).validate(answer.json())


def _schema(document: dict[str, Any], answer: httpx.Response) -> dict[str, Any]:
    """Return what the description says of the body of such an answer."""
    request = answer.request
    parts = request.url.path.split("/")
    found = [
        operations
        for path, operations in document["paths"].items()
        if _fits(path.split("/"), parts)
    ]
    assert found, f"{request.url.path} is not described"
    responses = found[0][request.method.lower()]["responses"]
    told = f"{request.method} {request.url.path}: {answer.status_code}"
    assert str(answer.status_code) in responses, f"{told} is not described"
    response = responses[str(answer.status_code)]
    kind = answer.headers["Content-Type"].partition(";")[0]
    schema: dict[str, Any] = response["content"][kind]["schema"]
    return schema


def _fits(path: list[str], parts: list[str]) -> bool:
    pairs = zip(path, parts, strict=False)
    return len(path) == len(parts) and all(a == b or a.startswith("{") for a, b in pairs)


@then("each line of every service is an event by its schema")
def _schema_holds(scene: Scene) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    assert scene.narration.records(), "nothing was narrated"
    assert [r.line for r in scene.narration.rejected] == []
    scene.narration.assert_holds(["envelope", "provenance"])


@then(parsers.parse('these points of "{group}" are covered, and no other:'))
def _covered(scene: Scene, group: str, datatable: list[list[str]]) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    covered = {r.point.id for r in _results(scene) if r.state == "covered"}
    declared = {r.point.id for r in _results(scene) if r.point.group == group}
    assert declared, f"the catalog has no group {group!r}"
    assert covered & declared == {point for [point] in datatable if point}


def _results(scene: Scene) -> tuple[PointResult, ...]:
    """Return what this scenario's narration alone covers."""
    catalog = Catalog.load(_CATALOG)
    collector = Collector(catalog)
    for record in scene.narration.records():
        collector.add(record.event, channel=record.channel, source=record.source)
    data = collector.take()
    data.capabilities = detect(catalog.points, catalog.capabilities)
    return analyse(catalog, data).points
