"""Accepted jobs -> streams of tokens: one thread loads the model, then decodes for everybody.

The thread takes waiting jobs in their order of arrival into the batch's slots, computes one step
for all of them, hands out the tokens and ends what is finished, cancelled, late or broken; it
sleeps when there is nothing to do. The event loop submits and cancels; nothing blocks it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from .decoding import Decoding
from .engine import Engine, StartFailed, load_engine

if TYPE_CHECKING:
    from .jobs import Job
    from .options import Options

__all__ = ["Backend", "Full", "Stopping"]

_REMEMBERED = 1024
"""Ended jobs whose ids are kept, so that a late cancel gets a true answer."""

_WEIGHT = 0.2
"""Of the latest job in the moving average of how long a job takes."""


class Full(Exception):
    """All slots are taken and the queue has no place.

    :param retry_after_ms: a guess of when there will be one.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(f"all slots and places in the queue are taken; try in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Stopping(Exception):
    """The worker shuts down and takes no more jobs."""


class Backend:
    """The decode thread and its queue. Its callbacks are called from that thread.

    :param on_loaded: called once: with the engine, or with why there is none.
    :param on_end: called with each job that ended and its outcome, ``"end"`` or an error code.
    :param on_crash: called when the thread dies of a bug: no job will end any more.
    """

    def __init__(
        self,
        options: Options,
        *,
        on_loaded: Callable[[Engine | StartFailed], None],
        on_end: Callable[[Job, str], None],
        on_crash: Callable[[], None],
    ) -> None:
        self._options = options
        self._on_crash = on_crash
        self._on_loaded = on_loaded
        self._on_end = on_end
        self._usual_ms = 200.0
        self._change = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._drained: Future[None] = Future()
        self._has_news = False
        """Whether something changed since the thread last looked at what waits."""
        self._is_stopping = False
        self._shall_end = False
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    @property
    def open_jobs(self) -> int:
        """Jobs that have not ended, waiting ones included."""
        return len(self._jobs)

    @property
    def queued(self) -> int:
        """Jobs that wait for a slot."""
        return len(self._waiting)

    @property
    def slots_free(self) -> int:
        """Slots that a job could have at once."""
        return max(0, self._options.slots - self.open_jobs)

    def check_room(self) -> None:
        """Refuse what could not be submitted.

        :raises Full: there is no place.
        :raises Stopping: there will never be one.
        """
        with self._change:
            if self._is_stopping:
                raise Stopping("the worker is shutting down")
            if len(self._jobs) >= self._options.slots + self._options.queue:
                rounds = 1 + len(self._waiting) / self._options.slots
                raise Full(max(50, round(self._usual_ms * rounds)))

    def submit(self, job: Job) -> None:
        """Queue a job; it ends with exactly one ``end`` or ``error`` on its stream."""
        with self._change:
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._wake()

    def cancel(self, job_id: str, reason: str, *, cause: Iterable[str] = ()) -> str | None:
        """Ask for a job's end; return ``"cancelling"``, ``"ended"``, or ``None``: unknown.

        :param cause: ids of the events that led to this.
        """
        with self._change:
            job = self._jobs.get(job_id)
            if job is None:
                return "ended" if job_id in self._ended else None
            if not job.stop_reason:
                job.stop_cause = tuple(cause)
                job.stop_reason = reason
            self._wake()
            return "cancelling"

    def drain(self) -> Future[None]:
        """Take no more jobs; return what is done when those that are here have ended."""
        with self._change:
            self._is_stopping = True
            if not self._jobs and not self._drained.done():
                self._drained.set_result(None)
        return self._drained

    def cancel_all(self, reason: str) -> None:
        """Ask for the end of every job."""
        with self._change:
            for job in self._jobs.values():
                job.stop_reason = job.stop_reason or reason
            self._wake()

    def end(self) -> None:
        """Let the thread finish, if it does so soon: loading cannot be interrupted."""
        with self._change:
            self._is_stopping = self._shall_end = True
            self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout=0.5)

    def _wake(self) -> None:
        self._has_news = True
        self._change.notify()

    def _run(self) -> None:
        options = self._options
        try:
            engine = load_engine(
                device=options.device,
                model=options.model,
                slots=options.slots,
                kv_tokens=options.kv_tokens,
                worker_id=options.worker_id,
            )
        except StartFailed as error:
            self._on_loaded(error)
            return
        except Exception as error:  # torch itself may be absent or broken
            traceback.print_exc(file=sys.stderr)
            self._on_loaded(StartFailed(f"{type(error).__name__}: {error}"))
            return
        self._on_loaded(engine)
        decoding = Decoding(engine, on_end=self._forget)
        try:
            while self._turn(decoding):
                pass
        except Exception:  # a bug of ours: failures of jobs and of torch end in Decoding
            traceback.print_exc(file=sys.stderr)
            self._on_crash()

    def _turn(self, decoding: Decoding) -> bool:
        """Do one round; return whether there shall be another."""
        with self._change:
            while not self._has_news and (pause := self._pause(decoding)) != 0:
                self._change.wait(pause)
            self._has_news = False
            if self._shall_end and not self._jobs:
                return False
            stopped = [job for job in self._waiting if _must_stop(job)]
            for job in stopped:
                self._waiting.remove(job)
        for job in stopped:
            decoding.stop(job)
        self._admit(decoding)
        decoding.step()
        return True

    def _pause(self, decoding: Decoding) -> float | None:
        """Return the seconds until a job is due by itself; ``None``: only news brings work."""
        due = [*(job.deadline for job in self._waiting), *(job.due for job in decoding.active)]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _admit(self, decoding: Decoding) -> None:
        """Move jobs from the queue into slots, first come first served."""
        while True:
            with self._change:
                # Not popped before it has a slot: `queued` and `cancel` must keep seeing it.
                job = self._waiting[0] if self._waiting else None
            if job is None or not decoding.take(job):
                return
            with self._change:
                self._waiting.remove(job)

    def _forget(self, job: Job, outcome: str) -> None:
        with self._change:
            del self._jobs[job.id]
            self._ended.append(job.id)
            # Its place may be what another one waits for.
            self._has_news = True
            self._usual_ms += _WEIGHT * (job.age_ms - self._usual_ms)
            if self._is_stopping and not self._jobs and not self._drained.done():
                self._drained.set_result(None)
        self._on_end(job, outcome)


def _must_stop(job: Job) -> bool:
    return bool(job.stop_reason) or time.monotonic() >= job.deadline
