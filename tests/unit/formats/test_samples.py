"""Lines of real loggers become the events that a person reads in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_narration.event import Event
from pytest_narration.formats import Continuation, flat, formats, reader
from pytest_narration.wire import Rejected

DATA = Path(__file__).parents[2] / "data" / "formats"
SAMPLES = [
    pytest.param(path.stem, sample, id=f"{path.stem}: {sample['about']}")
    for path in sorted(DATA.glob("*.json"))
    for sample in json.loads(path.read_text())
]
LOGGERS: list[dict[str, Any]] = json.loads((DATA / "loggers" / "cases.json").read_text())
FRAMINGS: list[dict[str, Any]] = json.loads((DATA / "framings" / "cases.json").read_text())


def expect(event: Event, columns: dict[str, Any], extra: dict[str, Any] | None = None) -> None:
    found = {name: getattr(event, name) for name in columns}
    assert found == {k: tuple(v) if k == "cause" else v for k, v in columns.items()}
    for name, value in (extra or {}).items():
        assert event.extra[name] == value


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_line_is_recognised_and_read(name: str, sample: dict[str, Any]) -> None:
    lines = reader()
    event = lines.decode(sample["line"].encode())
    assert isinstance(event, Event), event
    expect(event, sample["event"], sample.get("extra"))
    if sample.get("format", name):
        assert lines.format == name


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_format_fixed_by_name_reads_the_same(name: str, sample: dict[str, Any]) -> None:
    event = reader(name).decode(sample["line"].encode())
    assert isinstance(event, Event), event
    expect(event, sample["event"], sample.get("extra"))


def test_every_built_in_format_has_a_sample() -> None:
    assert set(formats()) == {path.stem for path in DATA.glob("*.json")}


@pytest.mark.parametrize("case", FRAMINGS, ids=[case["about"] for case in FRAMINGS])
def test_a_framing_is_taken_off(case: dict[str, Any]) -> None:
    lines = reader()
    decoded = lines.feed("".join(line + "\n" for line in case["lines"]).encode()) + lines.finish()
    events = [item for item in decoded if not isinstance(item, Continuation)]
    assert len(events) == len(case["events"]), decoded
    for event, columns in zip(events, case["events"], strict=True):
        assert isinstance(event, Event), event
        expect(event, columns)


@pytest.mark.parametrize("case", LOGGERS, ids=[case["about"] for case in LOGGERS])
def test_a_log_is_read_as_a_person_reads_it(case: dict[str, Any]) -> None:
    lines = reader()
    data = "".join(f"{line}\n" for line in case["lines"]).encode()
    decoded = [*flat(lines.feed(data)), *flat(lines.finish())]
    for item in decoded:
        if isinstance(item, Continuation):
            item.attach()
    events = [item for item in decoded if isinstance(item, Event)]
    assert sum(isinstance(item, Rejected) for item in decoded) == case.get("rejected", 0), decoded
    for event, columns in zip(events, case["events"], strict=True):
        expect(event, columns)
    attached = [len(event.extra.get("continuation", ())) for event in events]
    assert attached == case.get("attached", [0] * len(events))


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_every_field_of_a_line_is_kept_somewhere(name: str, sample: dict[str, Any]) -> None:
    """Every text of the record is a column's value, part of one, or still in the extras."""
    if name in {
        "access",
        "console",
        "jaeger",
        "logfmt",
        "loguru",
        "otel-console",
        "otlp",
        "text",
        "tslog",
        "zipkin",
    }:  # their records are not the objects on the line
        return
    event = reader().decode(sample["line"].encode())
    assert isinstance(event, Event)
    kept = json.dumps(event.fields(), ensure_ascii=False)
    unspoken = {"v", "@version", "ecs.version", "version", "specversion", "datacontenttype",
                "loggerFqcn", "host", "traceparent", "MESSAGE"}  # fmt: skip
    for key, value in json.loads(sample["line"]).items():
        is_time = str(value)[:3] in {"202", "171"}
        if isinstance(value, str) and key not in unspoken and not is_time and "level" not in key:
            folded = json.dumps(value, ensure_ascii=False)[1:-1].lower()
            short = folded.removesuffix(".service").rpartition("/")[2]
            spoken = kept.lower()
            is_level = key in {"L", "@l", "Level", "LogLevel", "severity", "PRIORITY"}
            assert is_level or folded in spoken or short in spoken, key
