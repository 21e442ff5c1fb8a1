"""What a job may ask for: the same for the orchestrator, which admits it, and for the worker.

So what can be known without a model is refused at the front door. How many tokens of prompt a
model's context takes, only its worker knows.
"""

from __future__ import annotations

__all__ = [
    "MAX_PROMPT_CHARS",
    "MAX_SEED",
    "MAX_TEMPERATURE",
    "MAX_TIMEOUT_MS",
    "MAX_TOKENS",
    "MAX_TOK_PER_S",
]

MAX_PROMPT_CHARS = 8_192
MAX_TOKENS = 1_024
MAX_TOK_PER_S = 100_000
MAX_SEED = (1 << 63) - 1
MAX_TEMPERATURE = 10.0
MAX_TIMEOUT_MS = 600_000
