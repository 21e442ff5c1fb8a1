"""What the client does: submit, read, cancel, disconnect."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pytest_bdd import given, parsers, when

from harness.cluster import Job

from .scene import STREAM_SECONDS, Scene, within

BAD_REQUEST = "bad-request-1"
"""The correlation id of requests that are wrong."""


@given("a running cluster")
def _running_cluster(scene: Scene) -> None:
    assert all(service.returncode is None for service in scene.cluster.services)


@when("the client submits a job")
def _submit(scene: Scene) -> None:
    scene.submit()


@when(parsers.parse('the client submits a job with correlation id "{correlation_id}"'))
def _submit_with_correlation_id(scene: Scene, correlation_id: str) -> None:
    scene.submit(correlation_id=correlation_id)


@when(parsers.parse("the client submits a job of {tokens:d} tokens"))
def _submit_of_tokens(scene: Scene, tokens: int) -> None:
    scene.submit(max_tokens=tokens)


@when(parsers.parse("the client submits a job of {tokens:d} tokens, at most {pace:d} a second"))
def _submit_at_pace(scene: Scene, tokens: int, pace: int) -> None:
    """What a scenario does to such a job meets it running, however busy the machine is."""
    scene.submit(max_tokens=tokens, max_tok_per_s=pace)


@when(
    parsers.parse(
        "{count:d} jobs of {tokens:d} tokens, at most {pace:d} a second, have each streamed a token"
    )
)
def _several_at_pace(scene: Scene, count: int, tokens: int, pace: int) -> None:
    for _ in range(count):
        scene.submit(max_tokens=tokens, max_tok_per_s=pace)
        scene.open_stream().wait_frame("token", STREAM_SECONDS)


@when(
    parsers.parse("the client submits a job of {tokens:d} tokens with a time limit of {limit:d} ms")
)
def _submit_with_limit(scene: Scene, tokens: int, limit: int) -> None:
    scene.submit(max_tokens=tokens, timeout_ms=limit)


@when(parsers.parse("the client submits a job with a prompt of {characters:d} characters"))
def _submit_long(scene: Scene, characters: int) -> None:
    scene.submit(prompt="x" * characters)


@when(
    parsers.parse(
        'the client submits a job with an empty prompt and correlation id "{correlation_id}"'
    )
)
def _submit_empty(scene: Scene, correlation_id: str) -> None:
    scene.response = scene.cluster.client().post(
        "/v1/jobs",
        json={"operation": "infer", "prompt": "", "max_tokens": 1},
        headers={"X-Correlation-Id": correlation_id},
    )


@when(parsers.re(r"the client posts a job with the body (?P<body>.+)"))
def _post_body(scene: Scene, body: str) -> None:
    headers = {"Content-Type": "application/json", "X-Correlation-Id": BAD_REQUEST}
    scene.response = scene.cluster.client().post("/v1/jobs", content=body, headers=headers)


@when(parsers.parse("the client posts a job with a prompt of {characters:d} characters"))
def _post_long(scene: Scene, characters: int) -> None:
    body = {"operation": "infer", "prompt": "x" * characters, "max_tokens": 1}
    scene.response = scene.cluster.client().post("/v1/jobs", json=body)


@when(parsers.parse('the client posts a job as "{content_type}"'))
def _post_as(scene: Scene, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    scene.response = scene.cluster.client().post("/v1/jobs", content="infer", headers=headers)


@when(parsers.re(r'the client asks (?P<method>GET|POST) "(?P<path>[^"]+)"'))
def _ask(scene: Scene, method: str, path: str) -> None:
    scene.response = scene.cluster.client().request(method, path)


@when(parsers.re(r'a client with the token "(?P<token>[^"]*)" submits a job'))
def _with_token(scene: Scene, token: str) -> None:
    body = {"operation": "infer", "prompt": "Let me in", "max_tokens": 1}
    scene.response = scene.cluster.client(token).post("/v1/jobs", json=body)


@when("a second reader opens the stream while it is read")
def _second_reader(scene: Scene) -> None:
    scene.stream.wait_frame("started", STREAM_SECONDS)
    scene.response = scene.cluster.client().get(f"/v1/jobs/{scene.job.job_id}/stream")


@when("the client opens the job's stream")
def _open(scene: Scene) -> None:
    scene.open_stream()


@when("the client reads the job's stream to its end")
def _read_to_end(scene: Scene) -> None:
    scene.open_stream()
    within(STREAM_SECONDS, "reading the job's stream", [scene.stream])


@when("the client cancels the job after its first token")
def _cancel(scene: Scene) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    scene.response = scene.cluster.client().post(f"/v1/jobs/{scene.job.job_id}/cancel")
    assert scene.response.status_code == 202, scene.response.text


@when("the client cancels its jobs")
def _cancel_all(scene: Scene) -> None:
    client = scene.cluster.client()
    for job in scene.jobs:
        assert client.post(f"/v1/jobs/{job.job_id}/cancel").status_code == 202


@when("the worker is killed after the job's first token")
def _kill_worker(scene: Scene) -> None:
    scene.stream.wait_frame("token", STREAM_SECONDS)
    scene.cluster.worker().kill()


@when(
    parsers.parse(
        "{clients:d} clients submit jobs of {tokens:d} tokens at the same time "
        "and read their streams"
    )
)
def _many(scene: Scene, clients: int, tokens: int) -> None:
    _submit_and_read(scene, clients, max_tokens=tokens)


@when(
    parsers.parse(
        "{clients:d} clients submit jobs of {tokens:d} tokens, at most {pace:d} a second, "
        "at the same time and read their streams"
    )
)
def _many_at_pace(scene: Scene, clients: int, tokens: int, pace: int) -> None:
    """So slow that they run at the same time for certain."""
    _submit_and_read(scene, clients, max_tokens=tokens, max_tok_per_s=pace)


def _submit_and_read(scene: Scene, clients: int, **options: int) -> None:
    def run(number: int) -> Job:
        return scene.submit(prompt=f"Client {number}", **options)

    with ThreadPoolExecutor(min(clients, 32)) as pool:
        jobs = list(pool.map(run, range(clients)))
    streams = [scene.open_stream(job) for job in jobs]
    within(STREAM_SECONDS * 2, "reading all streams", streams)


@when("the client reads the job's stream to its first token, disconnects and resumes")
def _disconnect_and_resume(scene: Scene) -> None:
    first = scene.open_stream()
    first.wait_frame("token", STREAM_SECONDS)
    first.stop()
    second = scene.open_stream(last_event_id=first.last_event_id)
    within(STREAM_SECONDS, "reading the resumed stream", [second])
