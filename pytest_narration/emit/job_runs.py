"""One attempt at a job, from its start to its end: three events, and ids on all that lie between.

::

    with job_run(message.job_id, attempt=message.attempt) as run:
        transcribe(message)        # every event in here has job_id, job_run_id and attempt

:func:`start_job_run` and :func:`end_job_run` are the same for code that begins and ends in
different places of one thread or task.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Final

from .context import current_context, narration_context
from .identity import new_id
from .process import narrate

__all__ = [
    "COMPLETED",
    "FAILED",
    "STARTED",
    "JobRun",
    "end_job_run",
    "error_kind_of",
    "job_run",
    "start_job_run",
]

STARTED: Final = (
    "job_run_started",
    "Started run {job_run_id} of job {job_id} (attempt {attempt})",
)
"""Action and template, for catalogs as well."""
COMPLETED: Final = (
    "job_run_completed",
    "Completed run {job_run_id} of job {job_id} (attempt {attempt}, {duration_ms} ms)",
)
FAILED: Final = (
    "job_run_failed",
    "Run {job_run_id} of job {job_id} failed (attempt {attempt}): {error_kind}",
)
_MS_DIGITS: Final = 3


class JobRun:
    """An attempt that has started; made by :func:`start_job_run`."""

    __slots__ = ("_began", "_binding", "attempt", "is_ended", "job_id", "job_run_id", "outcome")

    def __init__(
        self, job_id: str, job_run_id: str, attempt: int, binding: narration_context
    ) -> None:
        self.job_id = job_id
        self.job_run_id = job_run_id
        self.attempt = attempt
        self.is_ended = False
        self.outcome = "ok"
        """How it ended, in one word, when it did not fail."""
        self._binding = binding
        self._began = time.perf_counter()

    @property
    def duration_ms(self) -> float:
        """Milliseconds since it started."""
        return round((time.perf_counter() - self._began) * 1000, _MS_DIGITS)


def start_job_run(
    job_id: str | None = None,
    *,
    attempt: int = 1,
    job_run_id: str | None = None,
    actor: str | None = None,
    **fields: Any,
) -> JobRun:
    """Narrate ``job_run_started``, and bind its ids until :func:`end_job_run`.

    :param job_id: the job; the bound one by default, a fresh one where there is none.
    :param attempt: which try this is: 1, 2, 3, …; what is no such number is kept as the field
        ``given_attempt``, for it came from a queue and must not break the work.
    :param job_run_id: this attempt's id; a fresh one by default.
    :param fields: further fields of the first event: ``worker_id``, ``queued_ms``, ...
    """
    context = current_context()
    bound = context.get("job_id") if context is not None else None
    job_id = job_id or bound or new_id()
    job_run_id = job_run_id or new_id()
    if type(attempt) is not int or attempt < 1:
        fields["given_attempt"], attempt = attempt, 1
    binding = narration_context(job_id=job_id, job_run_id=job_run_id, attempt=attempt, actor=actor)
    binding.__enter__()
    run = JobRun(job_id, job_run_id, attempt, binding)
    try:
        narrate(*STARTED, **fields)
    except BaseException:  # strict validation: the run has not begun
        binding.__exit__(None, None, None)
        raise
    return run


def end_job_run(
    run: JobRun,
    error: BaseException | str | None = None,
    *,
    will_retry: bool | None = None,
    backoff_ms: float | None = None,
    **fields: Any,
) -> None:
    """Narrate how the attempt ended, and unbind its ids; a second call does nothing.

    Without an error it is ``job_run_completed``, else ``job_run_failed``.

    :param error: what it failed of: an exception, or its kind as a word.
    :param will_retry: whether another attempt follows.
    :param backoff_ms: milliseconds until then.
    """
    if run.is_ended:
        return
    run.is_ended = True
    try:
        if error is None:
            narrate(
                *COMPLETED,
                **{"duration_ms": run.duration_ms, "outcome": run.outcome, **fields},
            )
            return
        retry = {"will_retry": will_retry, "backoff_ms": backoff_ms}
        known = {name: value for name, value in retry.items() if value is not None}
        narrate(
            *FAILED,
            **{
                "level": "error",
                "duration_ms": run.duration_ms,
                "error_kind": error_kind_of(error),
                **known,
                **fields,
            },
        )
    finally:
        run._binding.__exit__(None, None, None)


class job_run:  # noqa: N801  a context manager reads as a noun phrase
    """Run the block as one attempt: started, then completed, or failed when it raises.

    Parameters as in :func:`start_job_run`. It serves ``with`` and ``async with``.
    """

    __slots__ = ("_how", "_job_id", "_run")

    def __init__(self, job_id: str | None = None, **how: Any) -> None:
        self._job_id = job_id
        self._how = how
        self._run: JobRun | None = None

    def __enter__(self) -> JobRun:
        """Start the attempt."""
        self._run = start_job_run(self._job_id, **self._how)
        return self._run

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the attempt, unless the block did."""
        assert self._run is not None, "a job_run is left without having been entered"
        end_job_run(self._run, error)

    async def __aenter__(self) -> JobRun:
        """Start the attempt."""
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the attempt, unless the block did."""
        self.__exit__(kind, error, traceback)


def error_kind_of(error: BaseException | str) -> str:
    """Return the machine-readable reason: the exception's own ``error_kind``, or its type."""
    if isinstance(error, str):
        return error or "UNKNOWN"
    own = getattr(error, "error_kind", None)
    if isinstance(own, str) and own:
        return own
    if isinstance(error, TimeoutError):
        return "TIMEOUT"
    name = type(error).__name__
    return "CANCELLED" if name == "CancelledError" else name  # asyncio's; it costs its import
