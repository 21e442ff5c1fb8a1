"""Both brokers of examples/media-pipeline: what is put is taken once, and no message is lost."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_narration.emit import subscribe

from .conftest import EXAMPLES

MODULES = ("broker", "on_sqlite", "on_redis", "work", "worker")
LONG = 30.0

Make = Callable[..., Any]


@pytest.fixture(params=["sqlite", "redis"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make a broker whose taken messages are hidden for so many seconds."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    monkeypatch.setenv("QUEUE_URL", url)
    monkeypatch.syspath_prepend(str(EXAMPLES / "media-pipeline" / "services"))
    module = importlib.import_module("broker")
    made: list[Any] = []

    def make(hidden_seconds: float = LONG) -> Any:
        monkeypatch.setenv("QUEUE_HIDDEN_SECONDS", str(hidden_seconds))
        made.append(module.broker_of(f"test-{request.param}-{time.time_ns()}"))
        return made[-1]

    yield make
    for broker in made:
        broker.close()
    for name in MODULES:
        sys.modules.pop(name, None)


def _take(broker: Any, queue: str = "q") -> Any:
    """Take a message that must be there, or come within 20 s."""
    until = time.monotonic() + 20
    taken = broker.take(queue, lambda: time.monotonic() > until)
    assert taken is not None, f"no message came to {queue!r} within 20 s"
    return taken


def _is_empty(broker: Any, queue: str = "q") -> bool:
    looks = iter((False, True))
    return broker.take(queue, lambda: next(looks)) is None


def test_messages_come_in_order_and_each_once(make: Make) -> None:
    broker = make()
    for number in range(3):
        broker.put("q", {"number": number})
    assert [_take(broker)[1]["number"] for _ in range(3)] == [0, 1, 2]
    assert _is_empty(broker)
    assert _is_empty(broker, "other")


def test_a_message_is_not_seen_before_its_delay_is_over(make: Make) -> None:
    broker = make()
    broker.put("q", {}, delay=LONG)
    assert _is_empty(broker)
    broker.put("q", {"is": "due"}, delay=0.01)
    assert _take(broker)[1] == {"is": "due"}


def test_a_message_whose_worker_died_comes_back_as_it_was_changed(make: Make) -> None:
    broker = make(0.01)
    broker.put("q", {"attempt": 1})
    message_id, _ = _take(broker)
    broker.change(message_id, {"attempt": 2})
    assert _take(broker) == (message_id, {"attempt": 2})
    broker.done(message_id)
    assert _is_empty(broker)


def test_two_workers_never_take_the_same_message(make: Make) -> None:
    broker, count = make(), 40
    for number in range(count):
        broker.put("q", number)
    taken: list[int] = []

    def work() -> None:
        until = time.monotonic() + 20
        while found := broker.take("q", lambda: len(taken) >= count or time.monotonic() > until):
            taken.append(found[1])

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sorted(taken) == list(range(count))


def test_jobs_and_sentences_are_found_again_until_all_is_cleared(make: Make) -> None:
    broker = make()
    broker.add_job("j", "ingest")
    assert broker.job("j") == ("queued", "ingest")
    broker.set_job("j", "completed")
    assert broker.job("j") == ("completed", "ingest")
    assert broker.job("other") is None
    broker.add_words("j", [("Ada", "Good day.", ["good", "day"])])
    assert broker.search("GOOD") == [("j", "Ada", "Good day.")]
    assert broker.search("night") == []
    broker.put("q", {})
    broker.clear()
    assert (broker.job("j"), broker.search("good"), _is_empty(broker)) == (None, [], True)


def test_a_message_that_kills_its_worker_each_time_is_given_up(make: Make) -> None:
    broker = make()
    worker = importlib.import_module("worker")
    told: list[dict[str, Any]] = []
    stop = subscribe(lambda line, context: told.append(json.loads(line)))
    broker.add_job("j", "transcribe")
    broker.put("transcribe", {"attempt": 4, "job_id": "own", "for": "j", "text": "[crash]"})
    message_id, message = _take(broker, "transcribe")
    try:
        worker.handle("transcribe", message_id, message, broker)
    finally:
        stop()
    assert [(event["action"], event["attempt"], event["job_id"]) for event in told] == [
        ("job_run_started", 4, "own"),
        ("job_failed", 4, "own"),
        ("job_run_failed", 4, "own"),
    ]
    assert {event["error_kind"] for event in told[1:]} == {"WORKER_DIED"}
    assert broker.job("j") == ("failed", "transcribe")
