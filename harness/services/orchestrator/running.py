"""A job -> its end: waits for a slot, runs on a node, relays what the node streams.

Whatever happens to nodes on the way, the job's stream ends with exactly one ``end`` or ``error``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from pytest_narration.emit import current_context, narrate, narration_context

from ..hop import Hop, HopError
from ..relay import NOT_BEGUN, JobFailed, bug, cancelled, relay
from ..stream import ProtocolError, Upstream
from ..web import ApiError
from .jobs import Job, State
from .nodes import Node, NodeRegistry
from .placement import Scheduler, Ticket

__all__ = ["Patience", "Runner"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a job waits for others, in seconds."""

    queue: float = 120.0
    """For a slot, refusals of nodes included."""
    connect: float = 5.0
    """For a node's answer to a dispatch."""
    silence: float = 10.0
    """For a byte of a running job: nodes send a comment every two seconds."""
    cancel: float = 5.0
    """For a node's confirmation of a cancellation."""


class _Refused(Exception):
    """A node did not take the job; another one may."""


class Runner:
    """Runs jobs; belongs to the event loop.

    :param on_end: called with each job when it has ended.
    """

    def __init__(
        self,
        nodes: NodeRegistry,
        scheduler: Scheduler,
        hop: Hop,
        *,
        patience: Patience = Patience(),
        on_end: Callable[[Job], None],
    ) -> None:
        self._nodes = nodes
        self._scheduler = scheduler
        self._hop = hop
        self._patience = patience
        self._on_end = on_end
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        """Run the job in the background, in the caller's narration context."""
        job.context = current_context()
        self._keep(asyncio.create_task(self._run(job)))

    def cancel(self, job: Job) -> None:
        """Cancel a job that has not ended.

        :raises ApiError: 409 ``conflict``, it has ended.
        """
        if job.state.is_final:
            raise ApiError("conflict", f"the job has ended: {job.state.value}")
        if job.state is State.CANCELLING:
            return
        # A branch of its own, from where the job is: the request may come at any moment of it.
        latest = job.context.trail.last if job.context is not None else job.admitted_by
        with narration_context(
            correlation_id=job.correlation_id,
            job_id=job.id,
            parent_job_id=job.context.get("parent_job_id") if job.context else None,
            channel=job.stream,
            task_id="cancel",
            cause=(latest,) if latest else (),
        ):
            asked = narrate(
                "job_cancel",
                "Cancelling job {job_id}, which is {state}",
                actor="orchestrator",
                state=job.state.value,
            )
            job.state = State.CANCELLING
            if asked is not None and job.context is not None:
                job.context.trail.follow(asked)
            if job.on_cancel is not None:
                job.on_cancel()

    async def close(self, reason: str, patience: float) -> None:
        """End every job that still runs, with an ``error`` on its stream."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel(reason)
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The loop itself holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        try:
            outcome = await self._outcome(job)
        except JobFailed as failed:
            outcome = failed.data
        except asyncio.CancelledError:
            outcome = JobFailed("SHUTTING_DOWN", "the orchestrator stops", retryable=True).data
        except Exception:  # whatever fails here, the client gets its end
            outcome = bug("orchestrator").data
        self._end(job, outcome)

    def _end(self, job: Job, outcome: dict[str, Any]) -> None:
        job.on_cancel = None
        job.outcome = outcome
        code = str(outcome.get("code", ""))
        if outcome["type"] == "end":
            job.state = State.COMPLETED
            job.ended_by = narrate(
                "job_complete",
                "Job {job_id} completed ({tokens_out} tokens in {duration_ms} ms)",
                actor="orchestrator",
                tokens_out=outcome.get("tokens_out"),
                duration_ms=job.age_ms,
            )
        elif code == "CANCELLED":
            job.state = State.CANCELLED
            job.ended_by = narrate(
                "job_cancelled",
                "Job {job_id} was cancelled",
                actor="orchestrator",
                level="warn",
                error_kind=code,
                duration_ms=job.age_ms,
            )
        else:
            job.state = State.FAILED
            job.ended_by = narrate(
                "error",
                "Job {job_id} failed: {error_kind}",
                actor="orchestrator",
                level="error",
                error_kind=code,
                duration_ms=job.age_ms,
            )
        job.stream.send_data(outcome["type"], msgspec.json.encode(outcome))
        self._on_end(job)

    async def _outcome(self, job: Job) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + self._patience.queue
        if job.state is State.CANCELLING:
            raise cancelled()
        node = self._scheduler.take() or await self._queue(job, deadline, first=False)
        while True:
            try:
                return await self._dispatch(job, node)
            except _Refused:
                # Until it speaks again; otherwise the same job would knock in a busy loop.
                node.is_accepting = False
            finally:
                self._scheduler.release(node)
            if job.state is State.CANCELLING:
                raise cancelled()
            job.state = State.QUEUED
            node = await self._queue(job, deadline, first=True)

    async def _queue(self, job: Job, deadline: float, *, first: bool) -> Node:
        ticket, position = self._scheduler.queue(first=first)
        job.on_cancel = lambda: _give_up(ticket)
        narrate(
            "job_queue",
            "Queued job {job_id} at position {queue_position}",
            actor="scheduler",
            queue_position=position,
        )
        if first:
            # The slot that was just refused counts again as soon as its node speaks.
            self._scheduler.pump()
        try:
            async with asyncio.timeout_at(deadline):
                node = await asyncio.shield(ticket)
        except TimeoutError:
            self._scheduler.leave(ticket)
            raise JobFailed(
                "QUEUE_TIMEOUT", "no node had a free slot in time", retryable=True
            ) from None
        except asyncio.CancelledError:
            self._scheduler.leave(ticket)
            raise
        if node is None:
            raise cancelled()
        return node

    async def _dispatch(self, job: Job, node: Node) -> dict[str, Any]:
        if job.state is State.CANCELLING:
            raise cancelled()
        job.state = State.RUNNING
        job.on_cancel = None
        job.node_id = node.id
        narrate(
            "job_dispatch",
            "Dispatching job {job_id} to node {node_id}",
            actor="scheduler",
            node_id=node.id,
            target=node.address,
        )
        url = f"http://{node.address}/v1/jobs"
        started = False
        try:
            async with (
                asyncio.timeout(None) as limit,
                self._hop.stream(
                    url,
                    job.request.body(),
                    connect_timeout=self._patience.connect,
                    silence=self._patience.silence,
                ) as upstream,
            ):
                started = True
                return await self._relay(job, node, upstream, limit)
        except TimeoutError:
            raise cancelled() from None
        except HopError as error:
            if started:
                raise JobFailed(
                    "NODE_LOST",
                    f"node {node.id} went away while the job ran: {error.kind}",
                    retryable=True,
                ) from error
            self._refused(node, error)
            raise _Refused from error
        except ProtocolError as error:
            raise JobFailed(
                "BAD_UPSTREAM", f"node {node.id} sent a broken stream: {error}", retryable=True
            ) from error

    def _refused(self, node: Node, error: HopError) -> None:
        narrate(
            "dispatch_refused",
            "Node {node_id} did not take job {job_id}: {error_kind}",
            actor="scheduler",
            level="warn",
            node_id=node.id,
            error_kind=error.code or error.kind,
        )
        if 400 <= error.status < 500:
            raise JobFailed("INVALID_REQUEST", error.message, retryable=False) from error

    async def _relay(
        self, job: Job, node: Node, upstream: Upstream, limit: asyncio.Timeout
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        remote_id = ""

        def cancel() -> None:
            limit.reschedule(loop.time() + self._patience.cancel)
            if remote_id:
                self._keep(asyncio.create_task(self._cancel_remote(node, remote_id)))

        job.on_cancel = cancel
        if job.state is State.CANCELLING:
            cancel()
        narrate(
            "relay_start",
            "Relaying job {job_id} from node {node_id}",
            actor="relay",
            node_id=node.id,
        )

        def started(job_id: str) -> None:
            nonlocal remote_id
            remote_id = job_id
            if job.state is State.CANCELLING:
                cancel()

        relayed = await relay(
            upstream,
            job.stream,
            context=job.context,
            on_started=started,
            on_frame=lambda: self._nodes.alive(node),
        )
        narrate(
            "relay_end",
            "Relayed job {job_id} from node {node_id}",
            actor="relay",
            node_id=node.id,
            frames=relayed.frames,
        )
        if relayed.outcome.get("code") in NOT_BEGUN:
            narrate(
                "dispatch_refused",
                "Node {node_id} did not take job {job_id}: {error_kind}",
                actor="scheduler",
                level="warn",
                node_id=node.id,
                error_kind=relayed.outcome["code"],
            )
            raise _Refused
        return relayed.outcome

    async def _cancel_remote(self, node: Node, remote_id: str) -> None:
        try:
            await self._hop.call("POST", f"http://{node.address}/v1/jobs/{remote_id}/cancel")
        except HopError:
            pass  # the job ended meanwhile, or its time limit ends it


def _give_up(ticket: Ticket) -> None:
    if not ticket.done():
        ticket.set_result(None)
