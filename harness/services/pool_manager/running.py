"""A job of the orchestrator -> a job on a worker, relayed to its end.

Whatever happens to the worker, the job's stream ends with exactly one ``end`` or ``error``. The
orchestrator is a job's only reader: when it leaves, the job is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

from pytest_narration.emit import Context, current_context, narrate, narration_context, new_id

from ..hop import Hop, HopError
from ..relay import JobFailed, bug, cancelled, relay
from ..stream import JobStream, ProtocolError, Upstream
from ..web import ApiError
from .workers import Exit, Pool, Ready, Worker

__all__ = ["Job", "Runner"]

_CONNECT_SECONDS = 5.0
_CANCEL_SECONDS = 4.0
_PROBE_SECONDS = 2.0
_PROBE_PAUSE = 0.2
_FATE_SECONDS = 3.0
"""For the news that a worker which broke a connection has ended, or that it lives."""
_NEVER_ARRIVED = frozenset({"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"})
"""Failures of a connection before a byte of the job was sent."""


class Job:
    """One job on this node."""

    def __init__(self, body: dict[str, Any], worker: Worker) -> None:
        self.id = new_id()
        self.body = body
        self.worker = worker
        self.stream = JobStream(self.id)
        self.is_cancelled = False
        self.remote_id = ""
        self.context: Context | None = None
        self.limit: asyncio.Timeout | None = None


class Runner:
    """Runs jobs on the pool's workers; belongs to the event loop.

    :param silence: seconds without a byte from a worker after which the job has failed.
    """

    def __init__(self, pool: Pool, hop: Hop, *, silence: float) -> None:
        self._pool = pool
        self._hop = hop
        self._silence = silence
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: dict[Ready, asyncio.Task[None]] = {}
        self._jobs: dict[str, Job] = {}
        self.ended: dict[str, int] = {}
        """``{how: jobs}``."""

    @property
    def count(self) -> int:
        """Jobs that run."""
        return len(self._jobs)

    def accept(self, body: dict[str, Any]) -> Job:
        """Take a slot for a job.

        :raises ApiError: 503 ``overloaded``, no ready worker has one.
        """
        worker = self._pool.best()
        if worker is None:
            raise ApiError("overloaded", "no worker has a free slot", headers={"Retry-After": "1"})
        worker.running += 1
        job = Job(body, worker)
        self._jobs[job.id] = job
        return job

    def start(self, job: Job) -> None:
        """Run the job in the background, in the caller's narration context."""
        job.context = current_context()
        self._keep(asyncio.create_task(self._run(job)))

    def cancel(self, job_id: str) -> None:
        """Cancel a job.

        :raises ApiError: 404, it is unknown or has ended.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise ApiError("not_found", "there is no such job here, or it has ended")
        if self._is_first(job):
            with self._beside(job):
                asked = narrate("job_cancel", "Cancelling job {job_id}", actor="pool-manager")
                self._cancel(job, asked)

    def caller_left(self, job: Job) -> None:
        """Cancel a job whose stream nobody reads any more."""
        if job.id in self._jobs and self._is_first(job):
            with self._beside(job):
                asked = narrate(
                    "job_cancel",
                    "Cancelling job {job_id}, whose caller left",
                    actor="pool-manager",
                    level="warn",
                    sse=False,
                )
                self._cancel(job, asked)

    async def close(self, patience: float) -> None:
        """End every job with an ``error`` on its stream."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The loop itself holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_first(self, job: Job) -> bool:
        was_cancelled, job.is_cancelled = job.is_cancelled, True
        return not was_cancelled

    def _beside(self, job: Job) -> narration_context:
        """The context of what happens to a job from outside its own line of work."""
        bound = dict(job.context.values) if job.context is not None else {}
        latest = job.context.trail.last if job.context is not None else None
        return narration_context(
            **{**bound, "task_id": "cancel"},
            channel=job.stream,
            cause=(latest,) if latest else (),
        )

    def _cancel(self, job: Job, asked: str | None) -> None:
        if asked is not None and job.context is not None:
            job.context.trail.follow(asked)
        self._pass_on_cancel(job)

    def _pass_on_cancel(self, job: Job) -> None:
        if job.limit is not None:
            job.limit.reschedule(asyncio.get_running_loop().time() + _CANCEL_SECONDS)
        if job.remote_id:
            self._keep(asyncio.create_task(self._cancel_remote(job)))

    async def _cancel_remote(self, job: Job) -> None:
        ready = job.worker.ready
        if ready is None:
            return  # its death ends the job
        try:
            await self._hop.call(
                "POST", f"http://{ready.address}/cancel", {"job_id": job.remote_id}
            )
        except HopError:
            pass  # the job ended meanwhile, or its time limit ends it

    async def _run(self, job: Job) -> None:
        try:
            outcome = await self._dispatch(job)
        except JobFailed as failed:
            outcome = failed.data
        except asyncio.CancelledError:
            outcome = JobFailed("SHUTTING_DOWN", "the pool manager stops", retryable=True).data
        except Exception:  # whatever fails here, the caller gets its end
            outcome = bug("pool manager").data
        self._end(job, outcome)

    def _end(self, job: Job, outcome: dict[str, Any]) -> None:
        job.worker.running -= 1
        self._jobs.pop(job.id, None)
        how = str(outcome.get("code", "end"))
        self.ended[how] = self.ended.get(how, 0) + 1
        if outcome["type"] == "end":
            narrate(
                "job_complete",
                "Job {job_id} completed on worker {worker_id}",
                actor="pool-manager",
                tokens_out=outcome.get("tokens_out"),
            )
        else:
            narrate(
                "error",
                "Job {job_id} failed on worker {worker_id}: {error_kind}",
                actor="pool-manager",
                level="error",
                error_kind=how,
            )
        job.stream.send_data(outcome["type"], msgspec.json.encode(outcome))

    async def _dispatch(self, job: Job) -> dict[str, Any]:
        worker, ready, ending = job.worker, job.worker.ready, job.worker.exit
        if ready is None:
            raise JobFailed("WORKER_UNREACHABLE", f"worker {worker.id} ended", retryable=True)
        narrate(
            "worker_dispatch",
            "Dispatching job {job_id} to worker {worker_id}",
            actor="pool-manager",
            target=ready.address,
        )
        try:
            async with (
                asyncio.timeout(None) as job.limit,
                self._hop.stream(
                    f"http://{ready.address}/execute",
                    job.body,
                    connect_timeout=_CONNECT_SECONDS,
                    silence=self._silence,
                ) as upstream,
            ):
                return await self._relay(job, upstream)
        except TimeoutError:
            raise cancelled() from None
        except HopError as error:
            if error.status:
                raise _refused(error) from error
            job.limit = None
            self._suspect(worker, ready)
            if not job.remote_id and error.kind in _NEVER_ARRIVED:
                raise JobFailed(
                    "WORKER_UNREACHABLE", f"worker {worker.id}: {error.kind}", retryable=True
                ) from error
            ended = await self._fate(worker, ready, ending)
            if ended is not None and ended.told_by is not None and job.context is not None:
                job.context.trail.follow(ended.told_by)
            raise _lost(worker, ended.kind if ended is not None else error.kind) from error
        except ProtocolError as error:
            # A worker that dies ends its chunked stream in the middle, which is a HopError; what
            # arrives whole and is wrong is something else.
            raise JobFailed(
                "BAD_UPSTREAM", f"worker {worker.id} sent a broken stream: {error}", retryable=True
            ) from error

    def _suspect(self, worker: Worker, ready: Ready) -> None:
        """Place nothing on a worker that broke a connection, until it answers or is restarted."""
        if worker.ready is ready and ready not in self._probes:
            self._pool.set_suspect(worker, True)
            probe = self._probes[ready] = asyncio.create_task(self._probe(worker, ready))
            probe.add_done_callback(lambda _: self._probes.pop(ready))
            self._keep(probe)

    async def _fate(
        self, worker: Worker, ready: Ready, ending: asyncio.Future[Exit] | None
    ) -> Exit | None:
        """Return how a worker ended; ``None`` when it lives, or nobody knows soon."""
        if ending is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FATE_SECONDS):
                news: set[asyncio.Future[Any]] = {ending}
                if probe := self._probes.get(ready):
                    news.add(probe)
                await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
                if worker.ready is not ready:
                    # It has ended; its last words are being read.
                    await asyncio.wait({ending})
        return ending.result() if ending.done() else None

    async def _probe(self, worker: Worker, ready: Ready) -> None:
        # Until its process has ended, which the provisioner notices, or it has reported anew.
        while worker.ready is ready:
            try:
                await self._hop.call(
                    "GET", f"http://{ready.address}/health", timeout=_PROBE_SECONDS
                )
            except HopError:
                await asyncio.sleep(_PROBE_PAUSE)
            else:
                break
        if worker.ready is ready:
            self._pool.set_suspect(worker, False)

    async def _relay(self, job: Job, upstream: Upstream) -> dict[str, Any]:
        def started(remote_id: str) -> None:
            job.remote_id = remote_id
            if job.is_cancelled:
                self._pass_on_cancel(job)

        if job.is_cancelled:
            self._pass_on_cancel(job)
        relayed = await relay(upstream, job.stream, context=job.context, on_started=started)
        narrate(
            "relay_end",
            "Relayed job {job_id} from worker {worker_id}",
            actor="relay",
            frames=relayed.frames,
        )
        return relayed.outcome


def _lost(worker: Worker, why: str) -> JobFailed:
    return JobFailed(
        "WORKER_LOST", f"worker {worker.id} went away while the job ran: {why}", retryable=True
    )


def _refused(error: HopError) -> JobFailed:
    if error.status < 500:
        return JobFailed("INVALID_REQUEST", error.message, retryable=False)
    return JobFailed((error.code or error.kind).upper(), error.message, retryable=True)
