"""Narration beside OpenTelemetry: one trace, whoever made the span."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_narration.emit import narrate, otel
from pytest_narration.emit.asgi import NarrationMiddleware
from pytest_narration.emit.clients_aiohttp import aiohttp_trace_config
from pytest_narration.emit.clients_httpx import NarrationTransport
from pytest_narration.emit.clients_requests import NarrationAdapter
from pytest_narration.emit.headers import extract, inject
from pytest_narration.emit.otel_propagator import strict_propagator
from pytest_narration.emit.wsgi import NarrationMiddleware as WsgiMiddleware
from pytest_narration.errors import MissingExtra
from tests.unit.servers import wsgi_server
from tests.unit.trace_context_suite import SUITE, Case, Harness, judge, suite_ids

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    Sampler,
    SamplingResult,
)

from tests.unit.tracing import Tracing, traced

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
EVENT = "01890a5d-ac96-774b-bcce-b302099a8057"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-03", "tracestate": "foo=1"}


@pytest.fixture
def tracing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracing]:
    with traced(monkeypatch) as tracing:
        yield tracing


def hexed(span: Any) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_without_a_span_there_are_no_ids() -> None:
    assert otel.current_ids() is None


def test_a_recording_span_gives_its_ids(tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("work") as span:
        ids = otel.current_ids()
    assert ids is not None
    assert ids[:2] == hexed(span)
    assert ids[2] & 0x01


def test_a_span_that_is_not_sampled_gives_its_ids_and_says_so() -> None:
    """The sampler's word holds for the services that are called, too."""
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    with tracer.start_as_current_span("work") as span, extract({}).context() as context:
        ids = span.get_span_context()
        assert otel.current_ids() == (f"{ids.trace_id:032x}", f"{ids.span_id:016x}", 0x02)
        assert context.get("trace_id") == f"{ids.trace_id:032x}"
        sent = extract(inject())
    assert (sent.trace_id, sent.trace_flags & 0x01) == (f"{ids.trace_id:032x}", 0)


@pytest.mark.parametrize(
    ("sampler", "given", "sent_on"),
    [(ALWAYS_OFF, "03", "02"), (ALWAYS_ON, "02", "03"), (ALWAYS_ON, "00", "01")],
)
def test_this_services_sampler_decides_about_the_callers_trace_from_here_on(
    sampler: Sampler, given: str, sent_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag of randomness is the trace id's own, whoever samples."""
    incoming = extract({"traceparent": f"00-{TRACE}-{SPAN}-{given}"})
    ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
    with traced(monkeypatch, sampler=sampler), otel.serving(*ids, "GET"), incoming.context():
        sent = inject()
    assert sent["traceparent"].startswith(f"00-{TRACE}-")
    assert sent["traceparent"].endswith(f"-{sent_on}")


def test_the_callers_span_is_not_taken_for_one_of_ours() -> None:
    """OpenTelemetry makes it current while it reads a request."""
    caller = strict_propagator().extract(HEADERS)
    token = otel_context.attach(caller)
    try:
        assert otel.current_ids() is None
    finally:
        otel_context.detach(token)


def test_a_broken_span_breaks_nothing() -> None:
    class Broken(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            raise RuntimeError

    with trace.use_span(Broken(trace.INVALID_SPAN_CONTEXT)):
        assert otel.current_ids() is None


def test_a_process_without_opentelemetry_never_imports_it() -> None:
    """Emitting, reading and sending headers, in an interpreter of its own."""
    code = """if True:
        import sys
        from pytest_narration.emit import extract, inject, narrate
        with extract({}).context():
            narrate("work", "Worked")
            assert inject()["traceparent"]
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, capture_output=True)


def test_a_new_context_takes_the_ids_of_the_running_span(tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("work") as span, extract({}).context() as context:
        assert (context.get("trace_id"), context.get("span_id")) == hexed(span)
        assert context.get("parent_span_id") is None


def test_a_span_of_the_callers_trace_keeps_the_callers_state(tracing: Tracing) -> None:
    incoming = extract(HEADERS)
    ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
    with otel.serving(*ids, "GET"), incoming.context() as context:
        narrate("work", "Worked", actor="test")
        sent = inject()
    (span,) = tracing.spans(trace.SpanKind.SERVER)
    assert hexed(span) == (TRACE, context.get("span_id"))
    assert f"{span.parent.span_id:016x}" == SPAN
    assert span.context.trace_state.to_header() == "foo=1"
    assert context.get("parent_span_id") == SPAN
    assert sent["tracestate"].endswith(f"p:{context.get('span_id')},foo=1")
    assert sent["traceparent"].endswith("-03")


def test_a_span_made_while_serving_continues_the_callers_trace(tracing: Tracing) -> None:
    """Also where nobody asked for spans of the hops."""
    incoming = extract(HEADERS)
    ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
    with (
        otel.serving(*ids, None),
        incoming.context(),
        tracing.tracer.start_as_current_span("inner") as span,
    ):
        assert extract(inject()).trace_id == TRACE
    assert hexed(span)[0] == TRACE
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_trace_that_starts_here_is_left_to_the_sampler(tracing: Tracing) -> None:
    incoming = extract({})
    ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
    with otel.serving(*ids, "GET"), incoming.context() as context:
        assert extract(inject()).trace_id == context.get("trace_id")
    (span,) = tracing.spans(trace.SpanKind.SERVER)
    assert span.parent is None
    assert context.get("trace_id") == hexed(span)[0]


def test_a_span_that_is_current_already_is_left_alone(tracing: Tracing) -> None:
    """OpenTelemetry's own instrumentation made it."""
    with (
        tracing.tracer.start_as_current_span("outer") as outer,
        otel.serving(TRACE, SPAN, 1, "", "GET"),
    ):
        assert trace.get_current_span() is outer
    assert tracing.spans(trace.SpanKind.SERVER) == []


class Editing(Sampler):
    """Says in the trace's state how it sampled, as consistent probability sampling does."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        known = parent.trace_state
        state = known.update("ot", "th:8") if "ot" in known else known.add("ot", "th:8")
        return SamplingResult(Decision.RECORD_AND_SAMPLE, None, state)

    def get_description(self) -> str:
        return "editing"


@pytest.mark.parametrize(
    ("given", "sent_on"),
    [
        ("", "ot=th:8"),
        ("foo=1,bar=2", "ot=th:8,foo=1,bar=2"),
        ("foo=1,ot=th:c,bar=2", "ot=th:8,foo=1,bar=2"),
        ("foo@=1,bar=2", "ot=th:8,foo@=1,bar=2"),
        (f"narration={EVENT};p:{SPAN},foo=1", "ot=th:8,foo=1"),
    ],
)
@pytest.mark.parametrize("in_span", [True, False])
def test_what_a_sampler_says_in_the_state_is_sent_on_before_the_rest(
    given: str, sent_on: str, in_span: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what the SDK's reader of level 1 drops is still there, in its order."""
    with traced(monkeypatch, sampler=Editing()):
        incoming = extract({"traceparent": HEADERS["traceparent"], "tracestate": given})
        ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
        with otel.serving(*ids, "GET"), incoming.context():
            within = nullcontext() if in_span else trace.use_span(trace.INVALID_SPAN)
            with within:
                ours, _, rest = inject()["tracestate"].partition(",")
    assert (ours.partition("=")[0], rest) == ("narration", sent_on)


def test_a_samplers_word_makes_room_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ",".join(f"k{n}=v" for n in range(31))
    with traced(monkeypatch, sampler=Editing()):
        incoming = extract({"traceparent": HEADERS["traceparent"], "tracestate": given})
        ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
        with otel.serving(*ids, "GET"), incoming.context():
            keys = [part.partition("=")[0] for part in inject()["tracestate"].split(",")]
    assert keys == ["narration", "ot", *(f"k{n}" for n in range(30))]


def test_a_caller_that_was_read_already_is_the_parent_of_the_span_of_its_request(
    tracing: Tracing,
) -> None:
    """A middleware around ours attached what it read; that is no span of this process yet."""
    token = otel_context.attach(strict_propagator().extract(HEADERS))
    try:
        incoming = extract(HEADERS)
        ids = (incoming.trace_id, incoming.parent_id, incoming.trace_flags, incoming.tracestate)
        with otel.serving(*ids, "GET"), incoming.context() as context:
            pass
    finally:
        otel_context.detach(token)
    (span,) = tracing.spans(trace.SpanKind.SERVER)
    assert hexed(span) == (TRACE, context.get("span_id"))
    assert f"{span.parent.span_id:016x}" == SPAN


def test_a_client_span_is_the_parent_id_of_its_call(tracing: Tracing) -> None:
    with extract({}).context() as context, otel.calling("GET"):
        sent = inject()
    (span,) = tracing.spans(trace.SpanKind.CLIENT)
    incoming = extract(sent)
    assert incoming.parent_id == hexed(span)[1]
    assert incoming.parent_span_id == context.get("span_id")


@pytest.mark.asyncio
async def test_aiohttps_calls_and_redirects_have_spans_of_their_own(tracing: Tracing) -> None:
    import aiohttp

    sent: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        sent.append(environ["HTTP_TRACEPARENT"])
        if environ["PATH_INFO"] == "/hop":
            start_response("307 Hop", [("Location", "/")])
        else:
            start_response("200 OK", [])
        return [b""]

    configs = [aiohttp_trace_config(spans=True)]
    with wsgi_server(app) as url, extract({}).context():
        async with aiohttp.ClientSession(trace_configs=configs) as session:
            with tracing.tracer.start_as_current_span("work") as work:
                async with session.get(f"{url}/hop"):
                    assert trace.get_current_span() is work
    made = tracing.spans(trace.SpanKind.CLIENT)
    assert [parent.split("-")[2] for parent in sent] == [hexed(span)[1] for span in made]
    assert [span.parent.span_id for span in made] == [work.get_span_context().span_id] * 2


@pytest.mark.asyncio
async def test_a_span_of_a_call_that_failed_says_so(tracing: Tracing) -> None:
    import aiohttp

    async with aiohttp.ClientSession(trace_configs=[aiohttp_trace_config(spans=True)]) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("http://127.0.0.1:1")
    (span,) = tracing.spans(trace.SpanKind.CLIENT)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.events[0].name == "exception"


@pytest.mark.parametrize("begun", [False, True])
def test_the_span_of_a_wsgi_request_that_failed_says_so(begun: bool, tracing: Tracing) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        if begun:
            yield b"begun"
        raise RuntimeError("failed")

    environ = {"REQUEST_METHOD": "GET", "wsgi.errors": io.StringIO()}
    body: Any = WsgiMiddleware(app, spans=True)(environ, lambda *start: len)
    with pytest.raises(RuntimeError) if begun else nullcontext():
        list(body)
    body.close()
    (span,) = tracing.spans(trace.SpanKind.SERVER)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


def test_a_span_alone_is_sent_on_without_a_context(tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("work") as span:
        sent = inject()
    assert extract(sent).trace_id == hexed(span)[0]
    assert sent.keys() == {"traceparent"}


def test_baggage_is_left_alone(tracing: Tracing) -> None:
    token = otel_context.attach(baggage.set_baggage("tenant", "t-1"))
    try:
        with otel.serving(TRACE, SPAN, 1, "", "GET"), extract(HEADERS).context():
            assert baggage.get_baggage("tenant") == "t-1"
            assert "baggage" not in inject({})
            assert inject({"baggage": "tenant=t-1"})["baggage"] == "tenant=t-1"
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NarrationMiddleware(None, spans=True),  # type: ignore[arg-type]
        lambda: WsgiMiddleware(None, spans=True),  # type: ignore[arg-type]
        lambda: NarrationTransport(spans=True),
        lambda: NarrationAdapter(None, spans=True),
        lambda: aiohttp_trace_config(spans=True),
    ],
    ids=["asgi", "wsgi", "httpx", "requests", "aiohttp"],
)
def test_spans_without_opentelemetry_are_refused_at_once(
    make: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pytest-narration\[otel\]"):
        make()


class AsgiGetter:
    """Reads ASGI headers as OpenTelemetry's ASGI instrumentation does: every value of a name."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        values = [v.decode("latin-1") for n, v in carrier if n.decode("latin-1").lower() == key]
        return values or None

    def keys(self, carrier: Any) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


class Instrumented(Harness):
    """A service that OpenTelemetry's instrumentation stands around, on both sides."""

    tracing: Tracing

    async def serve_within_a_span(self, scope: Any, receive: Any, send: Any) -> None:
        parent = strict_propagator().extract(scope["headers"], getter=AsgiGetter())  # type: ignore[arg-type]
        kind = trace.SpanKind.SERVER
        with self.tracing.tracer.start_as_current_span("POST", parent, kind=kind):
            await NarrationMiddleware(self.serve)(scope, receive, send)

    async def work(self, calls: list[dict[str, Any]]) -> None:
        for call in calls:
            headers: dict[str, str] = {}
            kind = trace.SpanKind.CLIENT
            with self.tracing.tracer.start_as_current_span("POST", kind=kind):
                strict_propagator().inject(headers)
                await self.client.post(call["url"], json=call["arguments"], headers=headers)


class HandlerSpan(Harness):
    """A service whose handler makes a span of its own around the calls."""

    tracing: Tracing

    async def work(self, calls: list[dict[str, Any]]) -> None:
        with self.tracing.tracer.start_as_current_span("handler"):
            await super().work(calls)


@pytest.mark.asyncio
@pytest.mark.parametrize("case", SUITE, ids=suite_ids())
async def test_the_validation_suite_holds_with_spans_of_the_hops(
    case: Case, tracing: Tracing
) -> None:
    calls = await Harness(spans=True).run(case)
    judge(case, calls)
    sampled = not case.continues or "-01" in case.sent[0][1]
    if sampled:
        assert len(tracing.spans(trace.SpanKind.SERVER)) == 1
        made = tracing.spans(trace.SpanKind.CLIENT)
        assert [parent.parent_id for parent, _ in calls] == [hexed(span)[1] for span in made]


@pytest.mark.asyncio
@pytest.mark.parametrize("case", SUITE, ids=suite_ids())
async def test_the_validation_suite_holds_with_a_span_of_the_handler(
    case: Case, tracing: Tracing
) -> None:
    service = HandlerSpan()
    service.tracing = tracing
    judge(case, await service.run(case))


@pytest.mark.asyncio
@pytest.mark.parametrize("case", SUITE, ids=suite_ids())
async def test_the_validation_suite_holds_within_opentelemetrys_instrumentation(
    case: Case, tracing: Tracing
) -> None:
    service = Instrumented()
    service.tracing = tracing
    service.service = service.serve_within_a_span
    judge(case, await service.run(case))


def test_the_propagator_sends_this_services_word_and_not_its_callers() -> None:
    """OpenTelemetry's instrumentation writes the headers of a call after ours did."""
    propagator = strict_propagator()
    given = {**HEADERS, "tracestate": f"narration={EVENT};p:{SPAN},foo=1"}
    read = propagator.extract(given)
    assert trace.get_current_span(read).get_span_context().trace_state.to_header() == "foo=1"
    with extract(given).context() as context:
        event = narrate("call", "Calling", actor="test")
        sent = inject()
        propagator.inject(sent, read)
    assert sent["tracestate"] == f"narration={event};p:{context.get('span_id')},foo=1"
    assert sent["traceparent"] == HEADERS["traceparent"]
    outside: dict[str, str] = {}
    propagator.inject(outside, read)
    assert outside == HEADERS


def test_the_propagator_of_another_trace_leaves_the_callers_members_out(tracing: Tracing) -> None:
    with extract(HEADERS).context() as context, tracing.tracer.start_as_current_span("root"):
        sent: dict[str, str] = {}
        strict_propagator().inject(sent)
    assert sent["tracestate"] == f"narration=p:{context.get('span_id')}"
    assert extract(sent).trace_id != TRACE


def test_the_propagator_reads_what_it_wrote() -> None:
    propagator = strict_propagator()
    sent: dict[str, str] = {}
    propagator.inject(sent, propagator.extract(HEADERS))
    assert sent == HEADERS
    assert propagator.fields == HEADERS.keys()


@pytest.mark.parametrize("carrier", [{}, {"traceparent": "x"}, {"tracestate": "foo=1"}])
def test_the_propagator_starts_no_trace(carrier: dict[str, str]) -> None:
    sent: dict[str, str] = {}
    strict_propagator().inject(sent, strict_propagator().extract(carrier))
    assert sent == {}
