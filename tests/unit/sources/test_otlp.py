"""The OTLP endpoint reads what real exporters send, in both encodings."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import SourceError
from pytest_narration.recorder import Recorder
from pytest_narration.sources import OtlpSource
from pytest_narration.sources.otlp_wire import decode_logs, decode_traces

TRACE, SPAN, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"


def attribute(key: str, **value: object) -> dict[str, object]:
    return {"key": key, "value": value}


RESOURCE = {
    "attributes": [
        attribute("service.name", stringValue="cart"),
        attribute("service.version", stringValue="1.2"),
        attribute("service.instance.id", stringValue="cart-1"),
    ]
}
LOGS = {
    "resourceLogs": [
        {
            "resource": RESOURCE,
            "scopeLogs": [
                {
                    "scope": {"name": "shop.cart"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1700000000123000000",
                            "severityNumber": 13,
                            "severityText": "WARN",
                            "body": {"stringValue": "Item added"},
                            "attributes": [
                                attribute("request.id", stringValue="r-1"),
                                attribute("count", intValue="-3"),
                                attribute("ratio", doubleValue=0.5),
                                attribute("ok", boolValue=True),
                                attribute("tags", arrayValue={"values": [{"stringValue": "a"}]}),
                            ],
                            "traceId": TRACE,
                            "spanId": SPAN,
                        }
                    ],
                }
            ],
        }
    ]
}
SPANS = {
    "resourceSpans": [
        {
            "resource": RESOURCE,
            "scopeSpans": [
                {
                    "scope": {"name": "http"},
                    "spans": [
                        {
                            "traceId": TRACE,
                            "spanId": SPAN,
                            "parentSpanId": PARENT,
                            "name": "GET /items/{id}",
                            "kind": 2,
                            "startTimeUnixNano": "1700000000000000000",
                            "endTimeUnixNano": "1700000000012500000",
                            "attributes": [
                                attribute("http.status", intValue="500"),
                                attribute("level", intValue="3"),
                            ],
                            "events": [
                                {
                                    "timeUnixNano": "1700000000010000000",
                                    "name": "exception",
                                    "attributes": [
                                        attribute("exception.type", stringValue="KeyError")
                                    ],
                                }
                            ],
                            "status": {"code": 2, "message": "no item"},
                        }
                    ],
                }
            ],
        }
    ]
}


def protobuf(kind: str, record: dict[str, object]) -> bytes:
    """Encode with OpenTelemetry's own messages: the decoder under test shares no code with it."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportLogsServiceRequest() if kind == "logs" else ExportTraceServiceRequest()
    text = json.dumps(record)
    for hexed in (TRACE, SPAN, PARENT):  # protobuf's own JSON has base64 where OTLP's has hex
        text = text.replace(hexed, base64.b64encode(bytes.fromhex(hexed)).decode())
    ParseDict(json.loads(text), message)
    data: bytes = message.SerializeToString()
    return data


def post(source: OtlpSource, path: str, body: bytes, kind: str, **headers: str) -> httpx.Response:
    return httpx.post(
        source.endpoint + path, content=body, headers={"Content-Type": kind, **headers}, timeout=10
    )


@pytest.fixture(params=["json", "protobuf"])
def encoding(request: pytest.FixtureRequest) -> str:
    if request.param == "protobuf":
        pytest.importorskip("opentelemetry.proto")
    return request.param


def export(source: OtlpSource, kind: str, record: dict[str, object], encoding: str) -> None:
    if encoding == "json":
        answer = post(source, f"/v1/{kind}", json.dumps(record).encode(), "application/json")
    else:
        answer = post(source, f"/v1/{kind}", protobuf(kind, record), "application/x-protobuf")
    assert answer.status_code == 200
    assert answer.content == (b"{}" if encoding == "json" else b"")


def test_a_log_record_is_an_event(recorder: Recorder, encoding: str) -> None:
    with OtlpSource(recorder) as source:
        export(source, "logs", LOGS, encoding)
    [event] = recorder.events()
    assert (event.human, event.level, event.actor) == ("Item added", "warn", "shop.cart")
    assert (event.service, event.emitted_by, event.instance) == ("cart", "cart@1.2", "cart-1")
    assert (event.trace_id, event.span_id, event.correlation_id) == (TRACE, SPAN, "r-1")
    assert event.timestamp == "2023-11-14T22:13:20.123Z"
    assert {name: event.extra[name] for name in ("count", "ratio", "ok", "tags")} == {
        "count": -3,
        "ratio": 0.5,
        "ok": True,
        "tags": ["a"],
    }
    assert recorder.endings[0].outcome == "complete"


def test_a_span_is_an_event_and_so_are_its_events(recorder: Recorder, encoding: str) -> None:
    with OtlpSource(recorder) as source:
        export(source, "traces", SPANS, encoding)
    span, exception = recorder.events()
    assert (span.human, span.action) == ("GET /items/{id}", "get_items_id")
    assert (span.level, span.duration_ms, span.parent_span_id) == ("error", 12.5, PARENT)
    assert (exception.action, exception.error_kind) == ("exception", "KeyError")
    assert span.extra["raw.level"] == 3
    assert (exception.trace_id, exception.span_id) == (TRACE, SPAN)


def test_an_attribute_of_a_span_is_no_level(recorder: Recorder) -> None:
    """Spans have no level of their own: a game's level 3 is not syslog's."""
    attributes = [attribute("level", intValue="3"), attribute("time", intValue="1700000000")]
    span = {"traceId": TRACE, "spanId": SPAN, "name": "play", "attributes": attributes}
    with OtlpSource(recorder) as source:
        export(source, "traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, "json")
    [event] = recorder.events()
    assert event.level == "info"


def test_gzip_is_unpacked(recorder: Recorder) -> None:
    with OtlpSource(recorder) as source:
        body = gzip.compress(json.dumps(LOGS).encode())
        answer = post(source, "/v1/logs", body, "application/json", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    assert len(recorder.events()) == 1


def test_gzip_that_ends_early_is_refused(recorder: Recorder) -> None:
    with OtlpSource(recorder) as source:
        body = gzip.compress(json.dumps(LOGS).encode())[:-20]
        answer = post(source, "/v1/logs", body, "application/json", **{"Content-Encoding": "gzip"})
    assert (answer.status_code, recorder.rejected[0].line) == (400, body)


def test_a_connection_that_outlives_the_endpoint_is_told(recorder: Recorder) -> None:
    kind = {"Content-Type": "application/json"}
    source = OtlpSource(recorder).start()
    with httpx.Client(base_url=source.endpoint, headers=kind) as client:
        assert client.post("/v1/logs", content=b"{}").status_code == 200
        source.stop()
        assert client.post("/v1/logs", content=json.dumps(LOGS)).status_code == 503
    assert recorder.records() == []


def test_metrics_are_accepted_so_that_exporters_do_not_complain(recorder: Recorder) -> None:
    with OtlpSource(recorder) as source:
        assert post(source, "/v1/metrics", b"\x01", "application/x-protobuf").status_code == 200
        assert source.requests == 1
    assert recorder.rejected == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "why"),
    [
        ("/v1/logs", b"{", "application/json", 400, "not JSON"),
        ("/v1/logs", b"[]", "application/json", 400, "not an object"),
        ("/v1/traces", b"\x0a\xff\x01", "application/x-protobuf", 400, "cut off"),
        ("/v2/logs", b"{}", "application/json", 404, "/v1/logs, /v1/metrics, /v1/traces"),
        ("/v1/logs", b"{}", "text/plain", 415, "application/x-protobuf"),
        ("/v1/logs", b'{"resourceLogs":7}', "application/json", 400, "resourceLogs is no array"),
        ("/v1/logs", b'{"level":"info"}', "application/json", 400, "has no resourceLogs"),
    ],
)
def test_what_cannot_be_read_gets_a_clear_answer(
    recorder: Recorder, path: str, body: bytes, kind: str, status: int, why: str
) -> None:
    with OtlpSource(recorder) as source:
        answer = post(source, path, body, kind)
    assert answer.status_code == status
    assert why in answer.json()["message"]
    [refused] = recorder.rejected
    assert (refused.source, refused.line) == ("otlp", body)
    assert path in refused.why
    assert why in refused.why


@pytest.mark.parametrize("body", [b"{}", b'{"resourceLogs":[]}'])
def test_an_empty_export_is_no_mistake(recorder: Recorder, body: bytes) -> None:
    with OtlpSource(recorder) as source:
        assert post(source, "/v1/logs", body, "application/json").status_code == 200
    assert recorder.rejected == []


def test_a_body_of_unknown_length_is_read(recorder: Recorder) -> None:
    """OpenTelemetry's exporter for Node sends chunks."""
    body = json.dumps(LOGS).encode()
    with OtlpSource(recorder) as source, httpx.Client(base_url=source.endpoint) as client:
        for _ in range(2):  # on one connection
            chunks = iter([body[:10], body[10:500], body[500:]])
            kind = {"Content-Type": "application/json"}
            answer = client.post("/v1/logs", content=chunks, headers=kind)
            assert (answer.status_code, answer.content) == (200, b"{}")
    assert len(recorder.events()) == 2


def talk(source: OtlpSource, said: bytes) -> bytes:
    """Say something over a socket, hang up, and return the answer."""
    host, port = source.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
POST = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HALVES = {
    "length": (POST + b"Content-Length: 100\r\n\r\n{}", "went away after 2 of 100 bytes"),
    "chunk": (POST + CHUNKED + b"9\r\n{}", "went away within a chunk"),
    "no chunk": (POST + CHUNKED + b"zz\r\n{}", "b'zz' is no size of a chunk"),
    "negative": (POST + CHUNKED + b"-5\r\n{}", "b'-5' is no size of a chunk"),
    "neither": (POST + b"\r\n", "Content-Length"),
    "coding": (POST + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", "encoding 'br'"),
    "grpc": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
    "noise": (b"\x16\x03\x01\x02\x00\x01\x00\r\n", "Bad request"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "why"), HALVES.values(), ids=HALVES.keys())
def test_a_broken_request_is_kept_with_the_reason_and_prints_nothing(
    recorder: Recorder, capfd: pytest.CaptureFixture[str], said: bytes, why: str
) -> None:
    with OtlpSource(recorder) as source:
        assert talk(source, said)
        export(source, "logs", LOGS, "json")
    [refused] = recorder.rejected
    assert why in refused.why
    assert len(recorder.events()) == 1
    assert capfd.readouterr() == ("", "")


def test_a_client_that_does_not_wait_for_its_answer_prints_nothing(
    recorder: Recorder, capfd: pytest.CaptureFixture[str]
) -> None:
    with OtlpSource(recorder) as source:
        host, port = source.endpoint.removeprefix("http://").split(":")
        for _ in range(20):
            connection = socket.create_connection((host, int(port)), timeout=10)
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
            connection.close()
        export(source, "logs", LOGS, "json")
    assert capfd.readouterr() == ("", "")


@contextmanager
def half_sent(source: OtlpSource, body: bytes, length: int) -> Iterator[socket.socket]:
    """Begin a request; the endpoint is reading it when the block runs."""
    host, port = source.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        yield connection


def test_an_export_that_is_arriving_when_it_stops_is_waited_for(recorder: Recorder) -> None:
    body = json.dumps(LOGS).encode()
    source = OtlpSource(recorder).start()
    with half_sent(source, body[:100], len(body)) as connection:
        rest = threading.Timer(0.2, connection.sendall, [body[100:]])
        rest.start()
        assert source.stop().outcome == "complete"
        rest.join()
    assert len(recorder.events()) == 1


def test_an_export_that_never_arrives_whole_cuts_the_source_off(recorder: Recorder) -> None:
    source = OtlpSource(recorder).start()
    with half_sent(source, b"{", 100):
        ending = source.stop(timeout=0.2)
    assert (ending.outcome, ending.detail) == ("cut off", "1 export was still arriving")


def test_a_taken_port_is_named(recorder: Recorder) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=f"cannot listen on 127.0.0.1:{port}"):
            OtlpSource(recorder, port=port).start()


def test_a_real_exporter_is_understood(recorder: Recorder) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    with OtlpSource(recorder) as source:
        provider = TracerProvider(resource=Resource.create({"service.name": "cart"}))
        exporter = OTLPSpanExporter(endpoint=f"{source.endpoint}/v1/traces")
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("shop").start_as_current_span("checkout"):
            pass
        provider.shutdown()
    [event] = recorder.events()
    assert (event.service, event.actor, event.human) == ("cart", "shop", "checkout")


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_a_value_error(body: bytes) -> None:
    for decode in (decode_logs, decode_traces):
        try:
            assert isinstance(decode(body), dict)
        except ValueError as error:
            assert "protobuf" in str(error)  # noqa: PT017 - either outcome is right
