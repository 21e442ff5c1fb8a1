"""A client that is part of a trace (W3C Trace Context), and clients that only seem to be."""

from __future__ import annotations

from pytest_bdd import parsers, then, when

from pytest_narration.event import Event

from .scene import STREAM_SECONDS, Scene, within

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


def _traced(scene: Scene, **headers: str) -> None:
    scene.submit(max_tokens=5, headers=headers)
    within(STREAM_SECONDS, "reading the stream", [scene.open_stream()])
    scene.narration.settle(timeout=STREAM_SECONDS)


def _trace_ids(scene: Scene) -> set[str | None]:
    request = scene.narration.events(correlation_id=scene.job.correlation_id)
    assert {event.service for event in request} == {"orchestrator", "pool-manager", "worker"}
    # A reader's connection is a request of its own, and may be in another trace.
    return {event.trace_id for event in request if event.actor != "stream"}


@when("a client submits a job within its trace")
def _within_trace(scene: Scene) -> None:
    _traced(scene, traceparent=_PARENT)


@when("a client submits a job without a trace")
def _without(scene: Scene) -> None:
    _traced(scene)


@when(parsers.parse('a client submits a job with the traceparent "{value}"'))
def _with(scene: Scene, value: str) -> None:
    _traced(scene, traceparent=value)


@when(parsers.parse("a client submits a job within its trace, with the tracestate {value}"))
def _with_state(scene: Scene, value: str) -> None:
    _traced(scene, traceparent=_PARENT, tracestate=value)


@then("all services narrate the job within that trace")
def _same_trace(scene: Scene) -> None:
    assert _trace_ids(scene) == {_TRACE}


@then("all services narrate the job within one fresh trace")
def _fresh_trace(scene: Scene) -> None:
    [trace_id] = _trace_ids(scene)
    assert trace_id is not None
    assert len(trace_id) == 32
    assert set(trace_id) <= set("0123456789abcdef")
    assert trace_id not in (_TRACE, "0" * 32)


@then("the job's spans lead from service to service")
def _linked(scene: Scene) -> None:
    scene.narration.assert_holds(["trace-linked", "correlation-same"])
    spans: dict[str, Event] = {}
    for event in scene.narration.events(correlation_id=scene.job.correlation_id):
        if event.actor != "stream" and event.span_id:
            spans.setdefault(event.span_id, event)
    parents = {
        event.service: spans[event.parent_span_id].service
        for event in spans.values()
        if event.parent_span_id in spans
    }
    assert parents == {"pool-manager": "orchestrator", "worker": "pool-manager"}
