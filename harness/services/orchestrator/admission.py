"""A request body -> a :class:`JobRequest`, or one answer that names everything wrong with it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..limits import (
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_TEMPERATURE,
    MAX_TIMEOUT_MS,
    MAX_TOK_PER_S,
    MAX_TOKENS,
)
from ..web import Fields, Shape

__all__ = ["JobRequest", "read_job"]

_CORRELATION = Shape(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]*"),
    "letters, digits and . _ : - and begin with a letter or digit",
)


class JobRequest(NamedTuple):
    """What a client wants inferred."""

    prompt: str
    max_tokens: int
    seed: int | None
    temperature: float | None
    timeout_ms: int | None
    max_tok_per_s: int | None = None
    """The pace of a reader that needs no more tokens, such as one that speaks."""

    def body(self) -> dict[str, Any]:
        """Return the body for the next service; what the client left open stays open."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def read_job(body: object) -> tuple[JobRequest, str | None]:
    """Return the job and the correlation id that the body names, if it names one.

    :raises ApiError: 400 with every complaint.
    """
    fields = Fields(body)
    fields.choice("operation", ("infer",))
    prompt = fields.text("prompt", required=True, longest=MAX_PROMPT_CHARS)
    max_tokens = fields.integer("max_tokens", lowest=1, highest=MAX_TOKENS, default=64)
    seed = fields.integer("seed", lowest=0, highest=MAX_SEED)
    temperature = fields.number("temperature", lowest=0.0, highest=MAX_TEMPERATURE)
    timeout_ms = fields.integer("timeout_ms", lowest=1, highest=MAX_TIMEOUT_MS)
    pace = fields.integer("max_tok_per_s", lowest=1, highest=MAX_TOK_PER_S)
    correlation_id = fields.text("correlation_id", longest=128, shape=_CORRELATION)
    fields.done()
    assert prompt is not None
    assert max_tokens is not None
    request = JobRequest(prompt, max_tokens, seed, temperature, timeout_ms, pace)
    return request, correlation_id
