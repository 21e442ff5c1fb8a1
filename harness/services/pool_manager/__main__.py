"""``python -m harness.services.pool_manager``: run one node until it is told to stop."""

from __future__ import annotations

import sys

from ..orphan import wake_when_orphaned

if __name__ == "__main__":
    wake_when_orphaned()

from pytest_narration.emit import configure, flush, narrate

from ..web import MissingToken, Server, Tokens
from .app import PoolManager
from .capture import SharedSink
from .engine import Engine, ProcessEngine
from .settings import Settings, read_settings

VERSION = "0.1.0"
_FLUSH_SECONDS = 5.0
"""For a slow reader: the last lines of the workers wait here too."""


def main() -> int:
    """Run; return the exit status."""
    settings = read_settings()
    try:
        tokens = Tokens.from_environment()
    except MissingToken as missing:
        print(missing, file=sys.stderr)  # noqa: T201 - stderr is for people
        return 2
    sink = SharedSink()
    configure(service="pool-manager", version=VERSION, sink=sink)
    try:
        return _serve(settings, tokens, sink)
    finally:
        sink.let_go()
        flush(_FLUSH_SECONDS)


def _serve(settings: Settings, tokens: Tokens, sink: SharedSink) -> int:
    manager = PoolManager(settings, tokens, engine=_engine(settings), sink=sink)

    async def on_bind(address: str, port: int) -> None:
        narrate(
            "server_bind",
            "HTTP server listening on {address}",
            actor="http-server",
            address=address,
            port=port,
        )
        await manager.start(address, port)

    async def on_shutdown(reason: str) -> None:
        narrate(
            "server_shutdown",
            "HTTP server shutting down gracefully",
            actor="http-server",
            reason=reason,
        )
        await manager.stop()

    def on_start(address: str) -> None:
        narrate(
            "startup",
            "Starting pool manager of {node_id} on {address}",
            actor="pool-manager",
            node_id=settings.node_id,
            pool_id=settings.pool_id,
            address=address,
            engine_kind=settings.engine,
            worker_gpus=settings.worker_gpus,
        )

    def on_bind_error(address: str, error_kind: str) -> None:
        narrate(
            "error",
            "Failed to bind {address}: {error_kind}",
            actor="http-server",
            level="error",
            address=address,
            error_kind=error_kind,
        )

    return Server(
        manager.app,
        host=settings.host,
        port=settings.port,
        on_start=on_start,
        on_bind=on_bind,
        on_bind_error=on_bind_error,
        on_shutdown=on_shutdown,
        grace=settings.grace,
        parent_fd=settings.parent_fd,
    ).run()


def _engine(settings: Settings) -> Engine:
    if settings.engine == "process":
        return ProcessEngine(settings.host)
    from .containers import DockerEngine

    return DockerEngine(
        image=settings.worker_image,
        networks=settings.worker_networks,
        labels=dict(label.split("=", 1) for label in settings.worker_labels),
        prefix=settings.worker_prefix,
        address=settings.worker_address,
        gpus=settings.worker_gpus,
    )


if __name__ == "__main__":
    sys.exit(main())
