"""Events as OTLP log records: sent by OpenTelemetry's own exporter, read by our own endpoint."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_narration.emit import extract, narrate, narration_context
from pytest_narration.emit.otel_logs import export_events
from pytest_narration.errors import MissingExtra
from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.sources.otlp_http import OtlpSource

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF


@pytest.fixture
def collected(capfd: pytest.CaptureFixture[str]) -> Iterator[Recorder]:
    """A collector that gets this process's events."""
    recorder = Recorder()
    with OtlpSource(recorder) as source:
        provider = LoggerProvider()
        exporter = OTLPLogExporter(endpoint=f"{source.endpoint}/v1/logs")
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        stop = export_events(provider)
        yield recorder
        stop()
        provider.shutdown()


def _only(recorder: Recorder, action: str) -> Event:
    (event,) = recorder.events(action=action)
    return event


def test_a_record_has_the_events_words_level_time_span_and_fields(collected: Recorder) -> None:
    ids = {"correlation_id": "req-1", "job_id": "j", "trace_id": "1" * 32, "span_id": "2" * 16}
    with narration_context(**ids):
        narrate(
            "order_placed", "Placed {total}", level="warn", total=5, items=["a"], more={"b": [1]}
        )
    event = _only(collected, "order_placed")
    said: dict[str, Any] = event.fields()
    assert {name: said[name] for name in ids} == ids
    assert (event.human, event.level, event.template) == ("Placed 5", "warn", "Placed {total}")
    assert (said["total"], said["items"], said["more"]) == (5, ["a"], {"b": [1]})
    assert event.timestamp is not None
    assert event.timestamp.endswith("Z")


def test_an_event_outside_of_any_trace_takes_the_current_span(collected: Recorder) -> None:
    provider = TracerProvider()
    with provider.get_tracer("test").start_as_current_span("work") as span:
        narrate("in_span", "In a span")
    ids = span.get_span_context()
    event = _only(collected, "in_span")
    assert (event.trace_id, event.span_id) == (f"{ids.trace_id:032x}", f"{ids.span_id:016x}")
    narrate("outside", "Outside")
    assert _only(collected, "outside").trace_id is None
    provider.shutdown()


def test_a_record_of_a_trace_that_is_not_sampled_says_so() -> None:
    provider = LoggerProvider()
    seen: list[Any] = []

    class Keeping(SimpleLogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            seen.append(log_record.log_record)

    provider.add_log_record_processor(Keeping(OTLPLogExporter()))
    stop = export_events(provider)
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    with extract({"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"}).context():
        narrate("by_header", "By header")
    with tracer.start_as_current_span("work"), extract({}).context():
        narrate("by_sampler", "By sampler")
    with extract({}).context():
        narrate("sampled", "Sampled")
    stop()
    assert {record.event_name: int(record.trace_flags) & 1 for record in seen} == {
        "by_header": 0,
        "by_sampler": 0,
        "sampled": 1,
    }
    provider.shutdown()


def test_an_event_name_names_the_record(collected: Recorder) -> None:
    narrate("placed", "Placed", event_name="shop.orders.order.placed")
    assert _only(collected, "shop.orders.order.placed").human == "Placed"


def test_nothing_is_exported_after_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    provider = LoggerProvider()
    seen: list[Any] = []

    class Keeping(SimpleLogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            seen.append(log_record)

    provider.add_log_record_processor(Keeping(OTLPLogExporter()))
    stop = export_events(provider)
    narrate("during", "During")
    stop()
    narrate("after", "After")
    assert [record.log_record.event_name for record in seen] == ["during"]
    provider.shutdown()


def test_without_opentelemetry_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest)

    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r"pytest-narration\[otel\]"):
        export_events()
