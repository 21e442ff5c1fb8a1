"""Command line -> settings of the orchestrator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from ..arguments import PORT

__all__ = ["Settings", "read_settings"]


class Settings(NamedTuple):
    """How this orchestrator runs; times are seconds."""

    host: str = "127.0.0.1"
    port: int = 0
    queue_timeout: float = 120.0
    silence: float = 10.0
    missed_heartbeats: int = 3
    most_jobs: int = 5_000
    keep_jobs: int = 2_000
    keep_seconds: float = 600.0
    stream_bytes: int = 1 << 20
    stream_frames: int = 8_192
    keep_alive: float = 15.0
    grace: float = 5.0
    parent_fd: int | None = None


def read_settings(argv: Sequence[str] | None = None) -> Settings:
    """Read the command line; ends the process with status 2 when it is wrong."""
    usual = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m harness.services.orchestrator", description="Control plane of the cluster."
    )
    add = parser.add_argument
    add("--host", default=usual.host, help="address to bind (default: %(default)s)")
    add("--port", type=PORT, default=usual.port, help="0 lets the kernel choose")
    add(
        "--queue-timeout",
        type=float,
        default=usual.queue_timeout,
        help="seconds that a job waits for a slot (default: %(default)s)",
    )
    add(
        "--silence",
        type=float,
        default=usual.silence,
        help="seconds without a byte of a job after which its node counts as gone",
    )
    add(
        "--missed-heartbeats",
        type=int,
        default=usual.missed_heartbeats,
        help="missed heartbeats after which a node is lost (default: %(default)s)",
    )
    add("--most-jobs", type=int, default=usual.most_jobs, help="jobs that may wait or run at once")
    add("--keep-jobs", type=int, default=usual.keep_jobs, help="ended jobs that stay readable")
    add(
        "--keep-seconds",
        type=float,
        default=usual.keep_seconds,
        help="how long an ended job stays readable (default: %(default)s)",
    )
    add(
        "--stream-bytes",
        type=int,
        default=usual.stream_bytes,
        help="bytes of each job's stream that are kept for readers (default: %(default)s)",
    )
    add(
        "--stream-frames",
        type=int,
        default=usual.stream_frames,
        help="frames of each job's stream that are kept for readers (default: %(default)s)",
    )
    add(
        "--keep-alive",
        type=float,
        default=usual.keep_alive,
        help="seconds of silence on a stream after which a comment is sent",
    )
    add("--grace", type=float, default=usual.grace, help="seconds for a graceful end")
    add("--parent-fd", type=int, help="pipe that ends with the process that started this one")
    return Settings(**vars(parser.parse_args(argv)))
