"""A JSON body -> an :class:`InferenceRequest`, or the first thing that is wrong with it.

Each refusal has an ``error_kind`` that programs can act on, and a message that never repeats the
text of a prompt. Used by :mod:`.service` for ``POST /execute``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..limits import (
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_TEMPERATURE,
    MAX_TIMEOUT_MS,
    MAX_TOK_PER_S,
    MAX_TOKENS,
)

__all__ = ["InferenceRequest", "Invalid", "read"]

_KNOWN = (
    "job_id",
    "max_tok_per_s",
    "max_tokens",
    "prompt",
    "seed",
    "temperature",
    "timeout_ms",
)


class Invalid(Exception):
    """A request cannot be run.

    :param error_kind: such as ``"prompt_empty"``.
    """

    def __init__(self, error_kind: str, message: str) -> None:
        super().__init__(message)
        self.error_kind = error_kind
        self.message = message


class InferenceRequest(NamedTuple):
    """What a job shall compute."""

    prompt: str
    max_tokens: int = 64
    seed: int = 0
    temperature: float = 0.0
    """0 is greedy."""
    timeout_ms: int = 60_000
    """From acceptance to the last token, waiting included."""
    max_tok_per_s: int = 0
    """The pace of a reader that needs no more, such as one that speaks; 0 is no limit."""


def read(body: object) -> InferenceRequest:
    """Check a body.

    ``job_id`` is allowed and ignored: the worker makes its own, and learns its caller's from the
    ``X-Parent-Job-Id`` header.

    :raises Invalid: with the first complaint.
    """
    if not isinstance(body, dict):
        raise Invalid("body_not_object", f"the body must be a JSON object, got {_kind(body)}")
    for name in body:
        if name not in _KNOWN:
            raise Invalid(
                "unknown_field", f"unknown field `{name[:40]}`; known are {', '.join(_KNOWN)}"
            )
    usual = InferenceRequest._field_defaults
    temperature = _number(body, "temperature", 0.0, MAX_TEMPERATURE, usual["temperature"])
    return InferenceRequest(
        prompt=_prompt(body),
        max_tokens=_integer(body, "max_tokens", 1, MAX_TOKENS, usual["max_tokens"]),
        seed=_integer(body, "seed", 0, MAX_SEED, usual["seed"]),
        temperature=temperature,
        timeout_ms=_integer(body, "timeout_ms", 1, MAX_TIMEOUT_MS, usual["timeout_ms"]),
        max_tok_per_s=_integer(body, "max_tok_per_s", 1, MAX_TOK_PER_S, 0),
    )


def _prompt(body: dict[str, Any]) -> str:
    if "prompt" not in body:
        raise Invalid("prompt_missing", "`prompt` is needed")
    prompt = body["prompt"]
    if not isinstance(prompt, str):
        raise Invalid("prompt_not_string", f"`prompt` must be a string, got {_kind(prompt)}")
    if not prompt.strip():
        raise Invalid("prompt_empty", "`prompt` must say something, it is empty or blank")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise Invalid(
            "prompt_too_long",
            f"`prompt` must have at most {MAX_PROMPT_CHARS} characters, got {len(prompt)}",
        )
    return prompt


def _integer(body: dict[str, Any], name: str, lowest: int, highest: int, usual: int) -> int:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name}_not_integer", f"`{name}` must be an integer, got {_kind(value)}")
    if not lowest <= value <= highest:
        raise Invalid(f"{name}_out_of_range", f"`{name}` must be {lowest} to {highest}")
    return value


def _number(body: dict[str, Any], name: str, lowest: float, highest: float, usual: float) -> float:
    value = body.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{name}_not_number", f"`{name}` must be a number, got {_kind(value)}")
    if not lowest <= value <= highest:
        raise Invalid(f"{name}_out_of_range", f"`{name}` must be {lowest:g} to {highest:g}")
    return float(value)


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        int: "an integer",
        float: "a fraction",
        bool: "a boolean",
    }
    return names.get(type(value), "null")
