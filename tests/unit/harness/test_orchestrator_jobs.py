"""Jobs are seen by their owner only, and are forgotten within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.services import limits
from harness.services.orchestrator import app
from harness.services.orchestrator.admission import JobRequest, read_job
from harness.services.orchestrator.jobs import Job, JobStore, Keep, State
from harness.services.web import ApiError
from harness.services.worker.requests import Invalid
from harness.services.worker.requests import read as read_inference


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _job(owner: str = "owner") -> Job:
    return Job(JobRequest("hi", 4, None, None, None), owner=owner, correlation_id="c")


def _end(store: JobStore, job: Job) -> None:
    job.state = State.COMPLETED
    store.ended(job)


def _is_known(store: JobStore, job: Job) -> bool:
    try:
        return store.get(job.id, job.owner) is job
    except ApiError:
        return False


def test_only_the_owner_sees_a_job_and_the_answers_are_alike() -> None:
    store, job = JobStore(), _job()
    store.add(job)
    assert store.get(job.id, "owner") is job
    answers = set()
    for job_id, owner in ((job.id, "other"), ("unknown", "owner")):
        with pytest.raises(ApiError) as refused:
            store.get(job_id, owner)
        answers.add((refused.value.status, refused.value.message))
    assert len(answers) == 1


def test_ended_jobs_are_forgotten_by_count_the_oldest_first() -> None:
    store = JobStore(keep=Keep(jobs=2))
    jobs = [_job() for _ in range(4)]
    for job in jobs:
        store.add(job)
    for job in jobs[:3]:
        _end(store, job)
    assert [_is_known(store, job) for job in jobs] == [False, True, True, True]


def test_ended_jobs_are_forgotten_by_age() -> None:
    clock = _Clock()
    store, job, running = JobStore(keep=Keep(seconds=10), clock=clock), _job(), _job()
    store.add(job)
    store.add(running)
    _end(store, job)
    clock.now += 10
    assert _is_known(store, job)
    clock.now += 0.1
    assert not _is_known(store, job)
    assert _is_known(store, running), "a job that runs is never forgotten"


def test_ended_jobs_are_forgotten_by_the_bytes_of_their_streams() -> None:
    store = JobStore(keep=Keep(bytes=10_000))
    jobs = [_job() for _ in range(3)]
    for job in jobs:
        store.add(job)
        job.stream.send("token", text="x" * 6_000)
        _end(store, job)
    assert [_is_known(store, job) for job in jobs] == [False, False, True]


def test_more_jobs_than_may_run_are_refused_with_a_hint() -> None:
    store = JobStore(most_running=1)
    first = _job()
    store.add(first)
    with pytest.raises(ApiError) as refused:
        store.add(_job())
    assert (refused.value.code, refused.value.status) == ("overloaded", 503)
    assert refused.value.headers == {"Retry-After": "1"}
    _end(store, first)
    store.add(_job())


def test_what_the_client_left_open_stays_open_for_the_worker() -> None:
    request, named = read_job({"prompt": "hi", "seed": 0, "correlation_id": "c-1"})
    assert request.body() == {"prompt": "hi", "max_tokens": 64, "seed": 0}
    assert named == "c-1"


@pytest.mark.parametrize("bad", ["-x", "a b", "a\nb", "ü", "a" * 129, ""])
def test_a_correlation_id_in_the_body_must_be_fit_to_travel(bad: str) -> None:
    with pytest.raises(ApiError, match="`correlation_id`"):
        read_job({"prompt": "hi", "correlation_id": bad})


def test_what_is_admitted_is_valid_for_every_worker() -> None:
    """The largest request of all fields passes both; one more of anything is refused at once."""
    most: dict[str, Any] = {
        "prompt": "x" * limits.MAX_PROMPT_CHARS,
        "max_tokens": limits.MAX_TOKENS,
        "seed": limits.MAX_SEED,
        "temperature": limits.MAX_TEMPERATURE,
        "timeout_ms": limits.MAX_TIMEOUT_MS,
        "max_tok_per_s": limits.MAX_TOK_PER_S,
    }
    admitted, _ = read_job(most)
    assert read_inference(admitted.body())._asdict() == most
    for name, value in most.items():
        beyond = value + "x" if isinstance(value, str) else value + 1
        with pytest.raises(ApiError, match=f"`{name}`"):
            read_job({**most, name: beyond})
        with pytest.raises(Invalid, match=f"`{name}`"):
            read_inference({**most, name: beyond})


def test_the_interfaces_description_has_the_limits() -> None:
    path = Path(app.__file__).with_name("openapi.json")
    described = json.loads(path.read_text())["components"]["schemas"]["JobRequest"]["properties"]
    assert described["prompt"]["maxLength"] == limits.MAX_PROMPT_CHARS
    for name, most in (
        ("max_tokens", limits.MAX_TOKENS),
        ("temperature", limits.MAX_TEMPERATURE),
        ("timeout_ms", limits.MAX_TIMEOUT_MS),
        ("max_tok_per_s", limits.MAX_TOK_PER_S),
    ):
        assert described[name]["maximum"] == most, name
