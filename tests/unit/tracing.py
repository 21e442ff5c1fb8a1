"""An OpenTelemetry SDK of a test's own, which keeps the spans that it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

__all__ = ["Tracing", "traced"]


class Tracing:
    """The SDK, and its finished spans."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def spans(self, kind: trace.SpanKind) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Tracing]:
    """Put an SDK in the place of the process's; ``options`` are those of its provider."""
    tracing = Tracing(**options)
    monkeypatch.setattr(trace, "get_tracer", tracing.provider.get_tracer)
    yield tracing
    tracing.provider.shutdown()
