"""Command line -> settings of a pool manager."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from ..arguments import PORT

__all__ = ["Settings", "read_settings"]


class Settings(NamedTuple):
    """How this pool manager runs; times are seconds."""

    node_id: str = "node-0"
    pool_id: str = "pool-0"
    gpu: str = "gpu0"
    workers: int = 1
    worker_args: tuple[str, ...] = ()
    orchestrator_url: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    advertise: str = ""
    heartbeat: float = 1.0
    join_patience: float = 0.0
    engine: str = "process"
    worker_image: str = "narration/worker:latest"
    worker_networks: tuple[str, ...] = ()
    worker_labels: tuple[str, ...] = ()
    worker_prefix: str = ""
    worker_address: str = "127.0.0.1"
    worker_gpus: bool = False
    require_ram_mb: int = 512
    require_gpu: bool = False
    ready_timeout: float = 120.0
    backoff: float = 0.1
    longest_backoff: float = 30.0
    silence: float = 60.0
    log_bytes: int = 1 << 20
    grace: float = 8.0
    parent_fd: int | None = None


def read_settings(argv: Sequence[str] | None = None) -> Settings:
    """Read the command line; ends the process with status 2 when it is wrong."""
    usual = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m harness.services.pool_manager", description="One GPU node of the cluster."
    )
    add = parser.add_argument
    add("--node-id", default=usual.node_id, help="its name in the cluster")
    add("--pool-id", default=usual.pool_id, help="the pool it belongs to")
    add("--gpu", default=usual.gpu, help="its GPU's name, part of its workers' ids")
    add("--workers", type=int, default=usual.workers, help="workers to keep alive")
    add(
        "--join-patience",
        type=float,
        default=usual.join_patience,
        help="seconds after the start in which an orchestrator that does not listen yet is no news",
    )
    add(
        "--worker-arg",
        dest="worker_args",
        action="append",
        default=[],
        metavar="ARG",
        help="passed on to each worker, repeatable: --worker-arg=--slots=2",
    )
    add("--orchestrator-url", required=True, help="http://127.0.0.1:8080")
    add("--host", default=usual.host, help="address to bind (default: %(default)s)")
    add("--port", type=PORT, default=usual.port, help="0 lets the kernel choose")
    add("--advertise", default=usual.advertise, help="host name that others reach it by")
    add("--heartbeat", type=float, default=usual.heartbeat, help="seconds between heartbeats")
    add("--engine", choices=("process", "docker"), default=usual.engine, help="what workers run in")
    add("--worker-image", default=usual.worker_image, help="docker: what their containers run")
    add(
        "--worker-network",
        dest="worker_networks",
        action="append",
        default=[],
        metavar="NAME",
        help="docker: a network of theirs, repeatable; on the first they and we meet",
    )
    add(
        "--worker-label",
        dest="worker_labels",
        action="append",
        default=[],
        type=_label,
        metavar="KEY=VALUE",
        help="docker: a label of their containers, repeatable",
    )
    add("--worker-prefix", default=usual.worker_prefix, help="docker: of their containers' names")
    add("--worker-address", default=usual.worker_address, help="docker: to publish their ports at")
    add("--worker-gpus", action="store_true", help="docker: ask the engine for all GPUs")
    add(
        "--require-ram-mb",
        type=int,
        default=usual.require_ram_mb,
        help="free memory that the start of a worker needs (default: %(default)s)",
    )
    add("--require-gpu", action="store_true", help="start no worker without an NVIDIA GPU")
    add("--ready-timeout", type=float, default=usual.ready_timeout, help="for a worker's callback")
    add("--backoff", type=float, default=usual.backoff, help="first pause before a restart")
    add("--longest-backoff", type=float, default=usual.longest_backoff, help="and the longest")
    add("--silence", type=float, default=usual.silence, help="of a job after which it has failed")
    add("--log-bytes", type=int, default=usual.log_bytes, help="kept of each worker's output")
    add("--grace", type=float, default=usual.grace, help="seconds for a graceful end")
    add("--parent-fd", type=int, help="pipe that ends with the process that started this one")
    given = vars(parser.parse_args(argv))
    for repeated in ("worker_args", "worker_networks", "worker_labels"):
        given[repeated] = tuple(given[repeated])
    return Settings(**given)


def _label(text: str) -> str:
    if not text.partition("=")[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return text
