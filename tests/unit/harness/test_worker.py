"""A running worker over real HTTP: jobs, refusals, failures; each seen on stdout and on its stream.

One process serves the whole module.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Queue
from typing import Any

import httpx
import pytest

from .worker_process import (
    TOKEN,
    Frames,
    Report,
    WorkerProcess,
    client,
    execute,
    pool_manager,
    run_job,
)

SLOTS, QUEUE, KV_TOKENS = 2, 3, 505
LONG: dict[str, Any] = {"prompt": "a long story", "max_tokens": 480}
"""Nearly the whole budget, so that it decodes alone."""


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[WorkerProcess, Queue[Report]]]:
    """A worker whose first report of readiness is refused."""
    with (
        pool_manager(lambda nth: 503 if nth == 1 else 200) as (url, reports),
        WorkerProcess(
            *("--worker-id", "worker-gpu0-r1", "--device", "cpu", "--ready-url", url),
            *("--slots", str(SLOTS), "--queue", str(QUEUE), "--kv-tokens", str(KV_TOKENS)),
        ) as worker,
    ):
        yield worker.ready(), reports


@pytest.fixture(scope="module")
def worker(started: tuple[WorkerProcess, Queue[Report]]) -> WorkerProcess:
    return started[0]


@pytest.fixture(scope="module")
def url(worker: WorkerProcess) -> str:
    return worker.url


def said_about(worker: WorkerProcess, job_id: str, last: str) -> list[dict[str, Any]]:
    """Return a job's events on stdout, once the one that starts with ``last`` is there."""
    worker.wait_for(f"the end of job {job_id}", template_starts=last, job_id=job_id)
    return worker.find(job_id=job_id)


def assert_failed(worker: WorkerProcess, frames: Frames, code: str) -> dict[str, Any]:
    """Check that a job's failure is told on both channels, then on its stream as the end."""
    job_id = frames.seen[0]["job_id"]
    on_stdout = said_about(worker, job_id, "Inference failed")
    assert frames.events == on_stdout
    point = on_stdout[-1]
    assert (point["actor"], point["action"], point["level"]) == (
        "inference-backend",
        "error",
        "error",
    )
    assert point["error_kind"] == code
    assert point["human"] == f"Inference failed for job {job_id}: {code}"
    assert frames.types[-2:] == ["narration", "error"]
    assert frames.seen[-1]["code"] == code
    assert point["reason"] == frames.seen[-1]["message"]
    return point


def test_a_start_is_told_on_stdout_without_a_job(worker: WorkerProcess) -> None:
    """Points 1, 2, 5, 6, 10, 11."""
    for actor, action, level, human in [
        ("llm-worker", "startup", "info", "Starting worker worker-gpu0-r1 on port 0"),
        ("http-server", "server_start", "info", "HTTP server initialized on 127.0.0.1:0"),
        ("http-server", "server_bind", "info", f"HTTP server listening on {worker.url[7:]}"),
        ("device-manager", "device_init", "info", "Initialized CPU device"),
        ("model-loader", "model_load", "info", "Loading model tiny"),
        ("model-loader", "model_load", "info", "Loaded model tiny (0.5 MB, vocab 258)"),
    ]:
        (event,) = worker.find(actor=actor, action=action, level=level, human=human)
        assert "job_id" not in event
        assert event["worker_id"] == "worker-gpu0-r1"
    assert worker.other_lines == []


def test_readiness_is_reported_until_it_is_accepted(
    started: tuple[WorkerProcess, Queue[Report]],
) -> None:
    """Points 7, 8, 9: one announcement, two attempts, one failure between them."""
    worker, reports = started
    posted = [reports.get(timeout=20), reports.get(timeout=20)]
    worker.wait_for("the second attempt", attempt=2)
    told = worker.find(actor="llm-worker", action="callback_ready")
    told += worker.find(actor="llm-worker", action="error")
    told.sort(key=lambda event: event["seq"])
    target = told[1]["target"]
    assert [(event["level"], event["human"]) for event in told] == [
        ("info", "Reporting ready to pool manager"),
        ("info", f"Calling pool manager at {target}"),
        ("error", "Pool manager callback failed: http_503"),
        ("info", f"Calling pool manager at {target}"),
    ]
    assert told[2]["error_kind"] == "http_503"
    assert told[2]["backoff_ms"] == 100
    assert [report["path"] for report in posted] == ["/v2/internal/workers/ready"] * 2
    report = posted[1]
    assert report["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert told[3]["event_id"] in report["headers"]["tracestate"], "the receiver learns its cause"
    body = report["body"]
    assert body["address"] == worker.url.removeprefix("http://")
    assert body["instance"] == told[0]["instance"]
    facts = {"worker_id": "worker-gpu0-r1", "device": "cpu", "model_ref": "tiny", "slots": SLOTS}
    assert facts.items() <= body.items()
    assert body["vram_total_bytes"] > body["vram_free_bytes"] > 0


def test_a_job_tells_its_story_on_stdout_and_on_its_stream(worker: WorkerProcess, url: str) -> None:
    """Points 15, 17, 18, 19, 20, 21."""
    headers = {"X-Correlation-Id": "corr-1", "X-Parent-Job-Id": "pool-job-1"}
    frames = run_job(url, headers, prompt="Привет!", max_tokens=25)
    assert frames.response.status_code == 200
    assert frames.response.headers["content-type"].startswith("text/event-stream")
    assert frames.response.headers["x-correlation-id"] == "corr-1"
    started, end = frames.seen[0], frames.seen[-1]
    job_id = started["job_id"]
    assert started == {
        "type": "started",
        "job_id": job_id,
        "parent_job_id": "pool-job-1",
        "correlation_id": "corr-1",
        "model_ref": "tiny",
        "device": "cpu",
    }
    on_stdout = said_about(worker, job_id, "Inference completed")
    assert frames.events == on_stdout, "both channels carry the same events, the same content"
    ms, rate = end["decode_time_ms"], on_stdout[-1]["tok_per_s"]
    assert [(e["actor"], e["action"], e["human"]) for e in on_stdout] == [
        ("http-server", "execute_request", f"Inference request validated for job {job_id}"),
        (
            "inference-backend",
            "inference_start",
            "Starting inference (prompt 7 chars, max_tokens 25)",
        ),
        ("tokenizer", "tokenize", "Tokenized prompt (14 tokens)"),
        ("inference-backend", "cache_reset", "Reset KV cache before inference"),
        ("inference-backend", "token_generate", "Generated 10 tokens"),
        ("inference-backend", "token_generate", "Generated 20 tokens"),
        (
            "inference-backend",
            "inference_complete",
            f"Inference completed (25 tokens in {ms} ms, {rate} tok/s)",
        ),
    ]
    for event in on_stdout:
        assert event["level"] == "info"
        assert event["correlation_id"] == "corr-1"
        assert event["parent_job_id"] == "pool-job-1"
        assert event["worker_id"] == "worker-gpu0-r1"
    assert (end["type"], end["tokens_in"], end["tokens_out"]) == ("end", 14, 25)
    assert end["finish_reason"] == "length"
    assert end["text"] == "".join(frame["text"] for frame in frames.of("token"))
    assert [frame["index"] for frame in frames.of("token")] == list(range(25))
    assert [frame["tokens_out"] for frame in frames.of("metrics")] == [10, 20]
    complete = on_stdout[-1]
    assert complete["tokens_in"] == 14
    assert complete["model_ref"] == "tiny"
    assert complete["device"] == "cpu"
    assert complete["duration_ms"] >= complete["decode_time_ms"] > 0


def test_a_correlation_id_is_made_where_none_is_given(url: str) -> None:
    frames = run_job(url, prompt="hi", max_tokens=1)
    made = frames.response.headers["x-correlation-id"]
    assert made
    assert {event["correlation_id"] for event in frames.events} == {made}
    assert frames.seen[0]["correlation_id"] == made


def test_the_answer_repeats_alone_and_in_company(url: str) -> None:
    def text(prompt: str) -> str:
        frames = run_job(url, prompt=prompt, max_tokens=60)
        return str(frames.seen[-1]["text"])

    alone = {prompt: text(prompt) for prompt in ("one", "two words", "and three words")}
    with ThreadPoolExecutor(3) as company:
        together = dict(zip(alone, company.map(text, alone), strict=True))
    assert together == alone


def test_sampling_repeats_with_its_seed(url: str) -> None:
    def text(**body: Any) -> str:
        return str(run_job(url, prompt="hi", max_tokens=30, **body).seen[-1]["text"])

    assert text(temperature=1.0, seed=5) == text(temperature=1.0, seed=5)
    assert text(temperature=1.0, seed=5) != text(temperature=1.0, seed=6)


def test_streams_of_concurrent_jobs_carry_their_own_events_only(
    worker: WorkerProcess, url: str
) -> None:
    def run(number: int) -> Frames:
        headers = {"X-Correlation-Id": f"c{number}", "X-Parent-Job-Id": f"p{number}"}
        return run_job(url, headers, prompt=f"job {number}", max_tokens=40)

    with ThreadPoolExecutor(SLOTS + QUEUE) as clients:
        streams = list(clients.map(run, range(SLOTS + QUEUE)))
    assert len({frames.seen[0]["job_id"] for frames in streams}) == len(streams)
    for number, frames in enumerate(streams):
        job_id = frames.seen[0]["job_id"]
        ids = {(e["correlation_id"], e["parent_job_id"], e["job_id"]) for e in frames.events}
        assert ids == {(f"c{number}", f"p{number}", job_id)}
        assert frames.events == said_about(worker, job_id, "Inference completed")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"prompt": ""}, "prompt_empty"),
        ({"prompt": "x" * 9000}, "prompt_too_long"),
        ({"prompt": "x" * 511}, "prompt_over_context"),
        ({"prompt": "\u044f" * 256}, "prompt_over_context"),
        ({"prompt": 5}, "prompt_not_string"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens_out_of_range"),
        ({"prompt": "x", "max_tokens": True}, "max_tokens_not_integer"),
        ({"prompt": "x", "colour": 1}, "unknown_field"),
        ([], "body_not_object"),
    ],
)
def test_a_bad_request_is_told_on_both_channels(
    body: Any, kind: str, worker: WorkerProcess, url: str
) -> None:
    """Point 14, for a caller that asked for a stream."""
    with client(url) as http, http.stream("POST", "/execute", json=body) as response:
        frames = Frames(response)
        frames.rest()
    assert response.status_code == 400
    assert frames.types == ["started", "narration", "error"]
    (event,) = frames.events
    job_id = frames.seen[0]["job_id"]
    assert worker.wait_for("point 14", job_id=job_id) == event
    assert (event["actor"], event["action"], event["level"]) == ("http-server", "error", "warn")
    assert event["human"] == f"Validation failed for job {job_id}: {kind}"
    assert event["error_kind"] == kind
    assert event["correlation_id"] == response.headers["x-correlation-id"]
    end = frames.seen[-1]
    assert (end["code"], end["retryable"]) == ("INVALID_REQUEST", False)
    assert end["message"] == event["reason"]


def test_a_bad_request_without_a_stream_gets_the_envelope(worker: WorkerProcess, url: str) -> None:
    headers = {"Accept": "application/json", "X-Correlation-Id": "bad-1"}
    with client(url) as http:
        response = http.post("/execute", json={"prompt": ""}, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"
    assert response.headers["x-correlation-id"] == "bad-1"
    event = worker.wait_for("point 14", correlation_id="bad-1")
    assert event["error_kind"] == "prompt_empty"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code", "kind"),
    [
        (b"{", "application/json", 400, "invalid_request", "body_not_json"),
        (b'{"prompt":"\\ud800"}', "application/json", 400, "invalid_request", "body_not_json"),
        (b"\xff", "application/json", 400, "invalid_request", "body_not_json"),
        (b"hi", "text/plain", 415, "unsupported_media_type", "content_type_not_json"),
        (b" " * (2 << 20), "application/json", 413, "payload_too_large", "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_told(
    content: bytes,
    content_type: str,
    status: int,
    code: str,
    kind: str,
    worker: WorkerProcess,
    url: str,
) -> None:
    with client(url) as http:
        response = http.post("/execute", content=content, headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    correlation = response.headers["x-correlation-id"]
    event = worker.wait_for("point 14", correlation_id=correlation)
    assert event["template"] == "Validation failed for job {job_id}: {error_kind}"
    assert event["error_kind"] == kind


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic YTpi", f"Bearer {TOKEN}x"])
def test_nobody_enters_without_the_token(header: str, worker: WorkerProcess, url: str) -> None:
    response = httpx.post(
        f"{url}/execute",
        json={"prompt": "x"},
        headers={"Authorization": header, "X-Correlation-Id": "stranger"} if header else {},
        timeout=60,
    )
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthorized"
    event = worker.wait_for("the refusal", correlation_id=response.headers["x-correlation-id"])
    assert event["human"] == "Refused POST /execute: unauthorized"
    assert TOKEN not in str(worker.events)


def test_a_cancelled_job_says_so(worker: WorkerProcess, url: str) -> None:
    """Point 16, by ``POST /cancel`` while tokens come."""
    with execute(url, **LONG, max_tok_per_s=20) as frames, client(url) as http:
        job_id = frames.until("started")["job_id"]
        frames.until("token")
        why = "01a1fd0e-e76b-7000-8af6-61f9dbd2c55d"
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        headers = {"traceparent": trace, "tracestate": f"narration={why}"}
        response = http.post("/cancel", json={"job_id": job_id}, headers=headers)
        assert (response.status_code, response.json()) == (
            202,
            {"job_id": job_id, "status": "cancelling"},
        )
        frames.rest()
        point = assert_failed(worker, frames, "CANCELLED")
        assert point["reason"] == "the caller cancelled the job"
        assert 0 < point["tokens_out"] < LONG["max_tokens"]
        assert point["cause"] == [why], "what the canceller said comes before it"
        again = http.post("/cancel", json={"job_id": job_id})
        assert (again.status_code, again.json()["status"]) == (202, "ended")


def test_a_job_decodes_no_faster_than_its_reader_wants_and_holds_nobody_up(url: str) -> None:
    alone = run_job(url, prompt="slowly", max_tokens=11).seen[-1]
    with execute(url, prompt="slowly", max_tokens=11, max_tok_per_s=20) as slow:
        slow.until("token")
        fast = run_job(url, prompt="fast", max_tokens=200).seen[-1]
        end = slow.until("end")
    assert end["decode_time_ms"] >= 10 * 50
    assert end["text"] == alone["text"], "the pace changes when tokens come, not which"
    assert fast["decode_time_ms"] < 200 * 50


def test_a_waiting_job_can_be_cancelled(worker: WorkerProcess, url: str) -> None:
    slow = execute(url, **LONG, max_tok_per_s=20)
    with slow as first, client(url) as http, execute(url, **LONG) as second:
        first.until("token")
        job_id = second.until("started")["job_id"]
        http.post("/cancel", json={"job_id": job_id})
        second.rest()
        assert_failed(worker, second, "CANCELLED")
        assert second.of("token") == []
        answer = http.post("/cancel", json={"job_id": first.seen[0]["job_id"]})
        assert answer.json()["status"] == "cancelling", "until here it was left alone"
        first.rest()


def test_cancelling_what_is_not_there_is_refused(url: str) -> None:
    with client(url) as http:
        unknown = http.post("/cancel", json={"job_id": "nobody"})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
        for body in ({}, {"job_id": 3}, {"job_id": "a", "b": 1}, "a"):
            wrong = http.post("/cancel", json=body)
            assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_request")


def test_a_caller_who_leaves_ends_the_job_and_frees_its_slot(
    worker: WorkerProcess, url: str
) -> None:
    with execute(url, **LONG, max_tok_per_s=20) as frames:
        job_id = frames.until("started")["job_id"]
        frames.until("token")
    point = said_about(worker, job_id, "Inference failed")[-1]
    assert point["error_kind"] == "CANCELLED"
    assert point["reason"] == "the caller left the stream"
    assert point["tokens_out"] < LONG["max_tokens"]
    assert run_job(url, prompt="next", max_tokens=2).types[-1] == "end"
    assert httpx.get(f"{url}/health", timeout=60).json()["slots_free"] == SLOTS


def test_a_job_that_takes_too_long_is_ended(worker: WorkerProcess, url: str) -> None:
    frames = run_job(url, **LONG, timeout_ms=20)
    point = assert_failed(worker, frames, "TIMEOUT")
    assert point["reason"] == "not done within 20 ms"
    assert point["duration_ms"] >= 20
    assert frames.seen[-1]["retryable"] is True


def test_a_job_larger_than_the_memory_is_refused(worker: WorkerProcess, url: str) -> None:
    frames = run_job(url, prompt="x" * 100, max_tokens=500)
    point = assert_failed(worker, frames, "VRAM_OOM")
    assert point["reason"] == "512 cache positions needed, the budget is 505"


def test_more_jobs_than_places_are_refused_with_a_time_to_come_back(
    worker: WorkerProcess, url: str
) -> None:
    with ExitStack() as open_streams:
        # Each takes the whole budget, so they end one by one, far slower than we ask for more.
        for _ in range(50):
            frames = open_streams.enter_context(execute(url, **LONG))
            if frames.response.status_code != 200:
                frames.response.read()
                break
    refused = frames.response
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (503, "overloaded")
    assert error["retry_after_ms"] >= 50
    assert int(refused.headers["retry-after"]) >= 1
    event = worker.wait_for("it", correlation_id=refused.headers["x-correlation-id"])
    assert event["human"] == f"Refused job {event['job_id']}: overloaded"
    assert event["retry_after_ms"] == error["retry_after_ms"]
    assert len(worker.find(job_id=event["job_id"])) == 1, "it never became a job"
    assert run_job(url, prompt="later", max_tokens=2).types[-1] == "end"


def test_health_needs_no_token_and_says_what_is_served(url: str) -> None:
    health = httpx.get(f"{url}/health", timeout=60).json()
    assert health["status"] == "ready"
    assert (health["model_ref"], health["device"], health["slots"]) == ("tiny", "cpu", SLOTS)


def test_metrics_count_what_ended_and_what_was_refused(url: str) -> None:
    def value(name: str) -> float:
        text = http.get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return float(lines[0].split()[-1]) if lines else 0

    with client(url) as http:
        ended = value('worker_jobs_ended_total{outcome="end"}')
        tokens = value("worker_tokens_total")
        refused = value('worker_requests_refused_total{error_kind="prompt_empty"}')
        run_job(url, prompt="count me", max_tokens=7)
        run_job(url, prompt="")
        assert value('worker_jobs_ended_total{outcome="end"}') == ended + 1
        assert value("worker_tokens_total") == tokens + 7
        assert value('worker_requests_refused_total{error_kind="prompt_empty"}') == refused + 1
        assert value("worker_slots") == SLOTS


def test_every_event_of_the_process_is_numbered_without_a_gap(worker: WorkerProcess) -> None:
    numbers = [event["seq"] for event in list(worker.events)]
    assert numbers == list(range(1, len(numbers) + 1))
