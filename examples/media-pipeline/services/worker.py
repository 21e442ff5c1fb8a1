"""One worker: takes messages of its queue, does its part, hands on. ``worker.py ROLE PIPELINE``."""

import signal
import sys

import work
from broker import broker_of

from pytest_narration.emit import (
    configure,
    end_job_run,
    extract,
    inject,
    narrate,
    start_job_run,
)

MOST_ATTEMPTS = 3
BACKOFF_MS = 100


class WorkerDied(Exception):
    """The last attempt never ended."""

    error_kind = "WORKER_DIED"


def main(role, pipeline):
    """Work until SIGTERM."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    configure(role, "1.0.0")
    broker = broker_of(pipeline)
    narrate("ready", "{service} is ready", actor=role)
    while taken := broker.take(role, lambda: bool(stopping)):
        message_id, message = taken
        with extract(message["headers"]).context(actor=role):
            handle(role, message_id, message, broker)
        broker.done(message_id)
    narrate("shutdown", "{service} stops", actor=role)


def handle(role, message_id, message, broker):
    """Run one attempt; its job is this worker's own, the same for all attempts."""
    run = start_job_run(message.get("job_id"), attempt=message["attempt"])
    again = {**message, "attempt": run.attempt + 1, "job_id": run.job_id}
    broker.change(message_id, again)  # should this worker die, the next attempt is the second one
    try:
        if run.attempt > MOST_ATTEMPTS:
            raise WorkerDied
        made = getattr(work, role)(message, broker)
    except Exception as error:
        retry(role, again, broker, run, error)
        return
    if after := work.NEXT[role]:
        passed = {"for": message["for"], "text": message["text"], "attempt": 1}
        broker.put(after, {**passed, **made, "headers": inject()})
    end_job_run(run)


def retry(role, again, broker, run, error):
    """Put a message back for another attempt, or give up."""
    will_retry = run.attempt < MOST_ATTEMPTS
    backoff_ms = BACKOFF_MS * run.attempt if will_retry else None
    if not will_retry:
        broker.set_job(again["for"], "failed")
        kind = getattr(error, "error_kind", type(error).__name__)
        narrate(
            "job_failed",
            "Gave up after {attempts} attempts: {error_kind}",
            level="error",
            attempts=run.attempt,
            error_kind=kind,
        )
    end_job_run(run, error, will_retry=will_retry, backoff_ms=backoff_ms)
    if will_retry:
        broker.put(role, again, delay=backoff_ms / 1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
