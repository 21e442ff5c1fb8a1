"""One accepted request: what it asks, whom it tells, how far it is.

A job is made in a request's narration context and keeps a copy of it, so that what the decode
thread narrates for it carries the request's ids and reaches its stream. Apart from
what stops it, which any thread may set, a job belongs to the decode thread once it is
submitted.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_narration.emit import narrate, narration_context

from .tokens import TextStream

if TYPE_CHECKING:
    from ..stream import JobStream
    from .batch import Row
    from .requests import InferenceRequest

__all__ = ["RETRYABLE", "ErrorCode", "Job"]

ErrorCode = Literal["CANCELLED", "TIMEOUT", "VRAM_OOM", "INFERENCE_FAILED"]

RETRYABLE: dict[str, bool] = {
    "INVALID_REQUEST": False,
    "CANCELLED": False,
    "TIMEOUT": True,
    "VRAM_OOM": True,
    "INFERENCE_FAILED": False,
}
"""Whether the same request may succeed when it is sent again."""


@dataclass(slots=True, eq=False)
class Job:
    """A request between its acceptance and its end."""

    id: str
    request: InferenceRequest
    stream: JobStream
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    """Of the request's task at the moment the job is made; entered by the decode thread only."""
    accepted: float = field(default_factory=time.monotonic)
    stop_reason: str = ""
    """Why it shall be cancelled; empty while it shall run."""
    stop_cause: tuple[str, ...] = ()
    """Events of the one who cancelled it, which precede what the job says of its end."""
    tokens: list[int] = field(default_factory=list)
    """The prompt's ids."""
    need: int = 0
    """Cache positions."""
    row: Row | None = None
    """Its place in the batch while it decodes."""
    began: float = 0.0
    """When its first token was computed from (monotonic)."""
    next_token_at: float = 0.0
    """When its reader wants the next token, no sooner (monotonic)."""
    tokens_out: int = 0
    text: list[str] = field(default_factory=list)
    decoder: TextStream = field(default_factory=TextStream)

    @property
    def deadline(self) -> float:
        """When it has taken too long (monotonic)."""
        return self.accepted + self.request.timeout_ms / 1000

    @property
    def due(self) -> float:
        """When there is something to do for it (monotonic)."""
        return 0.0 if self.stop_reason else min(self.next_token_at, self.deadline)

    @property
    def age_ms(self) -> float:
        """Milliseconds since it was accepted."""
        return round((time.monotonic() - self.accepted) * 1000, 1)

    @property
    def decode_ms(self) -> float:
        """Milliseconds since decoding began, prefill included."""
        return round((time.perf_counter() - self.began) * 1000, 1) if self.began else 0.0

    @property
    def rate(self) -> float:
        """Tokens per second so far."""
        return round(self.tokens_out / max(self.decode_ms / 1000, 1e-6), 1) if self.began else 0.0

    def narrate(
        self, action: str, template: str, /, *, cause: Iterable[str] = (), **said: Any
    ) -> None:
        """Narrate inside the request's context: on stdout, and on the job's stream.

        :param cause: ids of events outside the request that led to this one.
        """
        self.context.run(_narrate, action, template, cause, said)


def _narrate(action: str, template: str, cause: Iterable[str], said: dict[str, Any]) -> None:
    if not cause:
        narrate(action, template, **said)
        return
    with narration_context(cause=cause):
        narrate(action, template, **said)
