"""Traces that tracers exported tell a story in the order of cause and effect."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.sources import FilesSource
from pytest_narration.story import Story

DATA = Path(__file__).parents[2] / "data" / "traces"
CAUSES = {
    "jaeger": [
        "browser HTTP GET: /dispatch > frontend HTTP GET /dispatch",
        "frontend HTTP GET /dispatch > frontend HTTP GET: /customer",
        "frontend HTTP GET: /customer > customer HTTP GET /customer",
        "customer HTTP GET /customer > customer HTTP request received",
        "frontend HTTP GET /dispatch > frontend Driver::findNearest",
        "frontend Driver::findNearest > driver /driver.DriverService/FindNearest",
        "driver /driver.DriverService/FindNearest > driver Searching for nearby drivers",
        "driver Searching for nearby drivers > driver Search successful",
        "driver /driver.DriverService/FindNearest > redis FindDriverIDs",
        "redis FindDriverIDs > redis error",
        "frontend HTTP GET /dispatch > mailer notify",
    ],
    "zipkin": [
        "gateway get / > gateway get /orders",
        "gateway get /orders > gateway wire.send",
        "gateway wire.send > gateway wire.recv",
        "gateway get /orders > orders get /orders",
        "orders get /orders > orders cache.miss",
        "orders get /orders > orders select orders",
    ],
}


def read(path: Path) -> list[Event]:
    recorder = Recorder()
    assert FilesSource(path, recorder).start().wait(10).outcome == "complete"
    assert not recorder.rejected
    return recorder.events()


def lines(story: Story) -> list[str]:
    return [f"{line.lane} {line.said}" for line in story.lines]


def shuffled(document: Any, seed: int) -> Any:
    spans = document["data"][0]["spans"] if isinstance(document, dict) else document
    random.Random(seed).shuffle(spans)
    return document


@pytest.mark.parametrize("name", CAUSES)
def test_spans_of_several_services_are_told_in_the_order_of_cause_and_effect(name: str) -> None:
    said = lines(Story.of(read(DATA / f"{name}.json")))
    for pair in CAUSES[name]:
        cause, effect = pair.split(" > ")
        assert said.index(cause) < said.index(effect), pair
    steps = {step for pair in CAUSES[name] for step in pair.split(" > ")}
    assert sorted(said) == sorted(steps)


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_order_of_the_spans_in_the_file_does_not_matter(
    name: str, indent: int | None, tmp_path: Path
) -> None:
    story = Story.of(read(DATA / f"{name}.json"))
    for seed in range(5):
        document = shuffled(json.loads((DATA / f"{name}.json").read_text()), seed)
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document, indent=indent))
        assert str(Story.of(read(path))) == str(story)


def test_failures_durations_and_what_a_span_logged_are_kept() -> None:
    events = {f"{event.service} {event.human}": event for event in read(DATA / "jaeger.json")}
    failed, why = events["redis FindDriverIDs"], events["redis error"]
    assert (failed.level, failed.duration_ms, why.level) == ("error", 8.0, "error")
    assert (why.error_kind, why.extra["error.object"]) == ("RedisTimeout", "redis timeout")
    assert events["driver Search successful"].extra["num_drivers"] == 10


def test_the_halves_of_a_call_are_two_spans_and_pieces_of_one_half_are_one() -> None:
    events = {f"{event.service} {event.human}": event for event in read(DATA / "zipkin.json")}
    sent, taken = events["gateway get /orders"], events["orders get /orders"]
    assert taken.parent_span_id == sent.span_id != taken.span_id == "000000000000b4e2"
    assert (taken.level, taken.extra["status_message"], sent.level) == (
        "error", "stale read", "info",
    )  # fmt: skip
    assert events["orders select orders"].parent_span_id == taken.span_id
