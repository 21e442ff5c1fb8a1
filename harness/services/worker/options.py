"""The command line of a worker -> :class:`Options`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..arguments import PORT, Between
from .devices import DEVICES

__all__ = ["TINY", "Options", "parse"]

TINY = Path(__file__).resolve().parents[2] / ".models" / "tiny.safetensors"
"""Where the checkpoint of ``--model tiny`` is kept: generated, never committed."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one worker runs."""

    worker_id: str = "worker-0"
    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the kernel choose; ``server_bind`` says which it was."""
    device: str = "auto"
    model: str = "tiny"
    """``tiny`` or the path of a safetensors file."""
    slots: int = 4
    queue: int = 256
    """Jobs that may wait beyond the slots."""
    kv_tokens: int | None = None
    """Cache positions of all slots together; ``None``: every slot's full context."""
    grace: float = 5.0
    """Seconds that jobs under way may go on after the request to stop."""
    ready_url: str | None = None
    """Where to report readiness; ``None``: nobody waits for it."""
    ready_attempts: int = 12
    parent_fd: int | None = None
    """Read end of a pipe that the starter holds: its end is the worker's end."""


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; exits with status 2 and the reason when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.services.worker",
        description="Run a narrated inference worker. stdout carries narration lines only. "
        "The environment gives NARRATION_API_TOKEN and NARRATION_LEVEL.",
    )
    add = parser.add_argument
    usual = Options()
    add("--worker-id", default=usual.worker_id, help="its name in the pool")
    add("--host", default=usual.host, help="address to bind (default: %(default)s)")
    add("--port", type=PORT, default=usual.port, help="0: the kernel chooses")
    add("--device", choices=DEVICES, default=usual.device, help="auto: CUDA, else MPS, else CPU")
    add("--model", default=usual.model, help="`tiny` or a safetensors file")
    add("--slots", type=Between(1, 256), default=usual.slots, help="jobs that decode together")
    add("--queue", type=Between(0, 100_000), default=usual.queue, help="jobs that may wait")
    add("--kv-tokens", type=Between(1, 1 << 30), help="cache positions of all slots together")
    add("--grace", type=_seconds, default=usual.grace, help="seconds for jobs under way at the end")
    add("--ready-url", type=_url, help="where to report readiness")
    add("--ready-attempts", type=Between(1, 1000), default=usual.ready_attempts)
    add("--parent-fd", type=Between(0, 1 << 20), help="read end of a pipe that the starter holds")
    given = vars(parser.parse_args(arguments))
    return Options(**{field.name: given[field.name] for field in fields(Options)})


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds in 0..600")
    return value


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no http:// or https:// address")
    return text
