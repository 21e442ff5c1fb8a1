"""One round of decoding: jobs in a batch -> tokens, events and frames; and every way a job ends.

Belongs to :mod:`.backend`'s thread. The order of what is said about a job is fixed: narration
first, then the frame that it explains, so that a reader who sees ``error`` has seen why.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from .jobs import RETRYABLE, ErrorCode, Job
from .tokens import EOS, encode

if TYPE_CHECKING:
    from .batch import Row
    from .engine import Engine

__all__ = ["Decoding"]

_EVERY = 10
"""Tokens between two reports of progress."""


class Decoding:
    """The jobs that hold slots.

    :param on_end: called with each job and its outcome, ``"end"`` or an error code, after its
        last frame was sent.
    """

    def __init__(self, engine: Engine, *, on_end: Callable[[Job, str], None]) -> None:
        self.active: list[Job] = []
        self._batch = engine.batch
        self._on_end = on_end
        self._facts = {"model_ref": engine.model_ref, "device": str(engine.device)}

    def take(self, job: Job) -> bool:
        """Give a job a slot and compute its first token; ``False`` when it must wait for one.

        A job that cannot run ends here, and counts as taken.
        """
        from .batch import Sampler

        if not self._batch.has_slot:
            return False
        try:
            if not job.need:
                self._begin(job)
                job.need = self._batch.need(len(job.tokens), job.request.max_tokens)
            if not self._batch.has_room(job.need):
                return False
            job.row = self._batch.open(job.need, Sampler(job.request.temperature, job.request.seed))
            job.narrate(
                "cache_reset",
                "Reset KV cache before inference",
                actor="inference-backend",
                slot=job.row.slot,
            )
            job.began = time.perf_counter()
            self._batch.prefill(job.row, job.tokens)
        except Exception as error:  # whatever torch raises must end this job and no other
            self._break(job, error)
            return True
        self.active.append(job)
        self._hand_out(job)
        return True

    def step(self) -> None:
        """Compute one more token for every job whose pace allows it; end those that are done."""
        for job in [job for job in self.active if job.stop_reason or _is_late(job)]:
            self.stop(job)
        now = time.monotonic()
        jobs = [job for job in self.active if job.next_token_at <= now]
        if not jobs:
            return
        resting = [job for job in self.active if job not in jobs]
        try:
            self._batch.step(_rows(jobs), resting=_rows(resting))
        except Exception as error:  # one step serves all, so it fails for all
            for job in jobs:
                self._break(job, error)
            return
        for job in jobs:
            self._hand_out(job)

    def stop(self, job: Job) -> None:
        """End a job that was cancelled or ran out of time, whether it has a slot or waits."""
        if job.stop_reason:
            self._fail(job, "CANCELLED", job.stop_reason, job.stop_cause)
        else:
            self._fail(job, "TIMEOUT", f"not done within {job.request.timeout_ms} ms")

    def _begin(self, job: Job) -> None:
        request = job.request
        job.narrate(
            "inference_start",
            "Starting inference (prompt {prompt_chars} chars, max_tokens {max_tokens})",
            actor="inference-backend",
            prompt_chars=len(request.prompt),
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            seed=request.seed,
            **self._facts,
        )
        job.tokens = encode(request.prompt)
        job.narrate(
            "tokenize",
            "Tokenized prompt ({tokens_in} tokens)",
            actor="tokenizer",
            tokens_in=len(job.tokens),
        )

    def _hand_out(self, job: Job) -> None:
        """Choose a job's next token, send it, and end the job if it was the last."""
        assert job.row is not None, "only jobs in the batch have tokens"
        try:
            token = job.row.choose()
        except Exception as error:  # NotFinite, or torch's own on a broken distribution
            self._break(job, error)
            return
        if token == EOS:
            self._finish(job, "stop")
            return
        job.tokens_out += 1
        if job.request.max_tok_per_s:
            job.next_token_at = time.monotonic() + 1 / job.request.max_tok_per_s
        full = job.tokens_out >= job.request.max_tokens or (
            len(job.tokens) + job.tokens_out >= self._batch.context
        )
        text = job.decoder.feed(token, last=full)
        job.text.append(text)
        job.stream.send("token", index=job.tokens_out - 1, text=text, id=token)
        if job.tokens_out % _EVERY == 0:
            job.narrate(
                "token_generate",
                "Generated {tokens_out} tokens",
                actor="inference-backend",
                tokens_out=job.tokens_out,
            )
            job.stream.send("metrics", tokens_out=job.tokens_out, tok_per_s=job.rate)
        if full:
            self._finish(job, "length")

    def _finish(self, job: Job, why: str) -> None:
        job.text.append(job.decoder.finish())
        decode_ms = job.decode_ms
        job.narrate(
            "inference_complete",
            "Inference completed ({tokens_out} tokens in {decode_time_ms} ms, {tok_per_s} tok/s)",
            actor="inference-backend",
            tokens_in=len(job.tokens),
            tokens_out=job.tokens_out,
            decode_time_ms=decode_ms,
            duration_ms=job.age_ms,
            tok_per_s=job.rate,
            finish_reason=why,
            **self._facts,
        )
        job.stream.send(
            "end",
            tokens_in=len(job.tokens),
            tokens_out=job.tokens_out,
            decode_time_ms=decode_ms,
            finish_reason=why,
            text="".join(job.text),
        )
        self._leave(job, "end")

    def _break(self, job: Job, error: Exception) -> None:
        from .batch import BudgetExceeded, NotFinite
        from .devices import is_out_of_memory

        if isinstance(error, BudgetExceeded) or is_out_of_memory(error):
            self._fail(job, "VRAM_OOM", _first_line(error))
            return
        if not isinstance(error, NotFinite):
            traceback.print_exception(error, file=sys.stderr)
        self._fail(job, "INFERENCE_FAILED", _first_line(error))

    def _fail(self, job: Job, code: ErrorCode, reason: str, cause: tuple[str, ...] = ()) -> None:
        job.narrate(
            "error",
            "Inference failed for job {job_id}: {error_kind}",
            actor="inference-backend",
            level="error",
            cause=cause,
            error_kind=code,
            reason=reason,
            tokens_out=job.tokens_out,
            duration_ms=job.age_ms,
            **self._facts,
        )
        job.stream.send("error", code=code, message=reason, retryable=RETRYABLE[code])
        self._leave(job, code)

    def _leave(self, job: Job, outcome: str) -> None:
        if job.row is not None:
            self._batch.close(job.row)
            job.row = None
        if job in self.active:
            self.active.remove(job)
        self._on_end(job, outcome)


def _rows(jobs: list[Job]) -> list[Row]:
    return [job.row for job in jobs if job.row is not None]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _is_late(job: Job) -> bool:
    return time.monotonic() >= job.deadline
