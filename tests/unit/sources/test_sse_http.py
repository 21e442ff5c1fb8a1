"""An SSE source reads what a browser would, survives what a network does, and says how it ended."""

# ruff: noqa: SIM117 - the server is closed after the source, and some tests look at it between

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from serving import break_off, serve, stream

from pytest_narration.errors import WaitTimeout
from pytest_narration.recorder import Recorder
from pytest_narration.sources import SseSource

EVENT = {
    "event_id": "0190-1",
    "service": "worker",
    "actor": "tokenizer",
    "action": "tokenize",
    "human": "Tokenized prompt (7 tokens)",
    "correlation_id": "c-1",
    "job_id": "w-1",
    "tokens_in": 7,
}


def frame(kind: str, data: object, id: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return f"event: {kind}\n{f'id: {id}' if id else ':'}\ndata: {text}\n\n".encode()


STARTED = frame("started", {"type": "started", "job_id": "o-1"}, "1")
NARRATION = frame("narration", {"type": "narration", "event": EVENT}, "2")
TOKEN = frame("token", {"type": "token", "index": 0, "text": "level"}, "3")
END = frame("end", {"type": "end"}, "4")
DONE = b"data: [DONE]\n\n"


def test_a_whole_stream_is_complete(recorder: Recorder) -> None:
    with serve(stream(STARTED, NARRATION, TOKEN, END, DONE)) as script:
        with SseSource(f"{script.url}/v1/jobs/o-1/stream", recorder, name="client") as source:
            assert source.wait_done(10).outcome == "complete"
    kinds = ["started", "narration", "token", "end", "done"]
    assert [frame.type for frame in source.frames] == kinds
    assert [(f.type, f.stream, f.source) for f in recorder.frames()] == [
        (kind, "o-1", "client") for kind in kinds
    ]
    [record] = recorder.records()
    assert (record.channel, record.stream, record.event.tokens_in) == ("sse", "o-1", 7)
    assert record.event.event_id == "0190-1"
    assert recorder.rejected == []
    [exchange] = recorder.exchanges
    assert (exchange.method, exchange.status) == ("GET", 200)
    assert exchange.request_headers["accept"] == "text/event-stream"


def test_the_job_id_is_learned_from_the_started_frame(recorder: Recorder) -> None:
    with serve(stream(STARTED, NARRATION, DONE)) as script:
        with SseSource(f"{script.url}/anything", recorder) as source:
            source.wait_done(10)
    assert source.job_id == "o-1"
    assert recorder.records()[0].stream == "o-1"


def test_it_resumes_after_the_last_event_id_and_keeps_to_the_servers_pause(
    recorder: Recorder,
) -> None:
    with serve(
        stream(b"retry: 30\n\n", STARTED, b"id: 2\ndata: half"),
        break_off(NARRATION),
        stream(TOKEN, END, DONE),
    ) as script:
        with SseSource(script.url, recorder, headers={"Authorization": "Bearer t"}) as source:
            assert source.wait_done(10).outcome == "complete"
        assert [request.get("last-event-id") for request in script.requests] == [None, "1", "2"]
        assert {request["authorization"] for request in script.requests} == {"Bearer t"}
    assert [f.type for f in source.frames] == ["started", "narration", "token", "end", "done"]
    assert len(recorder.exchanges) == 3


def test_a_frame_that_sets_no_id_repeats_none(recorder: Recorder) -> None:
    """An id stays in force for what follows it; no rule may take that for a frame sent twice."""
    with serve(stream(STARTED, frame("end", {}), DONE)) as script:
        with SseSource(script.url, recorder) as source:
            source.wait_done(10)
            assert source.last_event_id == "1"
    assert [f.id for f in source.frames] == ["1", "", ""]


def test_it_gives_up_after_attempts_that_bring_nothing(recorder: Recorder) -> None:
    with serve(stream(b"retry: 1\n\n", STARTED), *[stream() for _ in range(3)]) as script:
        with SseSource(script.url, recorder, attempts=3) as source:
            ending = source.wait_done(10)
        assert len(script.requests) == 4
    assert ending.outcome == "cut off"
    assert ending.detail == "the stream ended without [DONE] after 1 frames"
    assert recorder.endings == [ending]


def test_nobody_at_the_address_is_unreachable(recorder: Recorder) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with SseSource(url, recorder, attempts=2) as source:
            ending = source.wait_done(10)
            with pytest.raises(WaitTimeout, match="nothing answered at http"):
                source.wait_open(1)
    assert ending.outcome == "unreachable"
    assert ending.detail.startswith(f"{url}: ConnectError")
    assert "2 connection(s)" in ending.detail


def test_a_refusal_keeps_status_and_body(recorder: Recorder) -> None:
    body = b'{"error":{"code":"stream_in_use"}}'
    with serve(stream(body, status=409, content_type="application/json")) as script:
        with SseSource(script.url, recorder) as source:
            assert source.wait_open(10) == 409
            ending = source.wait_done(10)
    assert (source.status, json.loads(source.body)["error"]["code"]) == (409, "stream_in_use")
    assert ending.outcome == "unreachable"
    assert "stream_in_use" in ending.detail


def test_an_expected_refusal_is_no_failure_to_read(recorder: Recorder) -> None:
    with serve(stream(b"{}", status=409, content_type="application/json")) as script:
        with SseSource(script.url, recorder, expect=[409]) as source:
            assert source.wait_done(10).outcome == "complete"


def test_an_overloaded_server_is_asked_again(recorder: Recorder) -> None:
    busy = stream(b"busy", status=503, content_type="text/plain", Retry_After="0")
    with serve(busy, stream(STARTED, DONE)) as script:
        with SseSource(script.url, recorder) as source:
            assert source.wait_done(10).outcome == "complete"
        assert len(script.requests) == 2


def test_another_content_type_is_no_stream(recorder: Recorder) -> None:
    with serve(stream(b"<html>", content_type="text/html")) as script:
        with SseSource(script.url, recorder, reconnect=False) as source:
            ending = source.wait_done(10)
    assert ending.outcome == "unreachable"
    assert "text/html" in ending.detail


def test_a_redirection_is_followed(recorder: Recorder) -> None:
    with serve(stream(STARTED, DONE)) as target:
        with serve(stream(status=307, Location=f"{target.url}/there")) as script:
            with SseSource(script.url, recorder) as source:
                assert source.wait_done(10).outcome == "complete"
            assert len(script.requests) == 1
    assert [frame.type for frame in source.frames] == ["started", "done"]
    assert [exchange.status for exchange in recorder.exchanges] == [307, 200]


def test_certificates_that_cannot_be_read_matter_to_who_needs_them(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "no/such/file.pem")
    with serve(stream(STARTED, DONE)) as script:
        with SseSource(script.url, recorder) as source:
            assert source.wait_done(10).outcome == "complete"
    with SseSource("https://example.invalid/stream", recorder, reconnect=False) as remote:
        ending = remote.wait_done(10)
    assert "SSL_CERT_FILE='no/such/file.pem'" in ending.detail


def test_204_means_that_there_is_nothing_more(recorder: Recorder) -> None:
    with serve(stream(b"retry: 1\n\n", STARTED), stream(status=204)) as script:
        with SseSource(script.url, recorder) as source:
            assert source.wait_done(10).outcome == "complete"


def test_a_posts_stream_ends_with_its_last_frame(recorder: Recorder) -> None:
    with serve(stream(STARTED, NARRATION, END)) as script:
        with SseSource(script.url, recorder, method="POST", json={"prompt": "x"}) as source:
            ending = source.wait_done(10)
        assert json.loads(script.bodies[0]) == {"prompt": "x"}
        assert len(script.requests) == 1
    assert (ending.outcome, source.job_id) == ("complete", "o-1")


def test_a_posts_stream_that_breaks_is_cut_off_and_not_repeated(recorder: Recorder) -> None:
    with serve(break_off(STARTED, NARRATION)) as script:
        with SseSource(script.url, recorder, method="POST", json={}) as source:
            assert source.wait_done(10).outcome == "cut off"
        assert len(script.requests) == 1


def test_frames_come_while_the_stream_is_open(recorder: Recorder) -> None:
    hold = threading.Event()
    with serve(stream(STARTED, NARRATION, hold=hold)) as script:
        with SseSource(script.url, recorder) as source:
            assert source.wait_frame("narration", 10).id == "2"
            assert source.is_running
            assert recorder.events()[0].action == "tokenize"
            began = time.monotonic()
        assert time.monotonic() - began < 5, "leaving the context waited for the server"
        hold.set()
    assert source.ending is not None
    assert source.ending.outcome == "cut off"


def wait_frames(source: SseSource, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(source.frames) < count:
        assert time.monotonic() < deadline, f"waited 60 s for {count} frames; saw {source.frames}"
        time.sleep(0.01)


def test_a_time_out_says_what_was_seen(recorder: Recorder) -> None:
    hold = threading.Event()
    with serve(stream(STARTED, TOKEN, TOKEN, hold=hold)) as script:
        with SseSource(script.url, recorder) as source:
            wait_frames(source, 3)
            with pytest.raises(WaitTimeout, match=r"waited 0.05 s for a frame 'end'.*2× token"):
                source.wait_frame("end", 0.05)
            hold.set()


def test_foreign_streams_go_through_the_formats(recorder: Recorder) -> None:
    pino = b'data: {"level":30,"time":1700000000000,"msg":"hello","reqId":"r-1"}\n\n'
    chat = b'data: {"id":"x","choices":[{"delta":{"content":"hi"}}]}\n\n'
    text = b'data: {"text":"just words"}\n\ndata: plain\n\n'
    with serve(stream(pino, chat, text, DONE)) as script:
        with SseSource(script.url, recorder, job_id="j") as source:
            source.wait_done(10)
    assert len(recorder.frames()) == 5
    [event] = recorder.events()
    assert (event.human, event.correlation_id) == ("hello", "r-1")
    assert recorder.rejected == []


def test_a_narration_frame_that_is_no_event_is_rejected(recorder: Recorder) -> None:
    bad = frame("narration", {"type": "narration", "event": EVENT | {"tokens_in": "seven"}})
    with serve(stream(bad, DONE)) as script:
        with SseSource(script.url, recorder) as source:
            source.wait_done(10)
    [rejected] = recorder.rejected
    assert "tokens_in" in rejected.why
    assert rejected.source == "client"
    assert recorder.events() == []


def test_stopping_does_not_wait_for_a_server_that_says_nothing(recorder: Recorder) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with SseSource(url, recorder) as source:
            connection, _ = server.accept()
            connection.recv(1000)
            began = time.monotonic()
        connection.close()
        assert time.monotonic() - began < 5
    assert source.ending is not None
    assert source.ending.outcome in {"cut off", "unreachable"}


def test_an_address_that_is_none_is_not_tried_again(recorder: Recorder) -> None:
    with SseSource("localhost:8080/stream", recorder) as source:
        ending = source.wait_done(10)
    assert (ending.outcome, source.connections) == ("unreachable", 1)
