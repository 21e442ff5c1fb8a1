"""``python -m harness.services.orchestrator``: run the control plane until it is told to stop."""

from __future__ import annotations

import sys

from ..orphan import wake_when_orphaned

if __name__ == "__main__":
    wake_when_orphaned()

from pytest_narration.emit import configure, flush, narrate

from ..web import MissingToken, Server, Tokens
from .app import Orchestrator
from .settings import Settings, read_settings

VERSION = "0.1.0"


def main() -> int:
    """Run; return the exit status."""
    settings = read_settings()
    try:
        tokens = Tokens.from_environment()
    except MissingToken as missing:
        print(missing, file=sys.stderr)  # noqa: T201 - stderr is for people
        return 2
    configure(service="orchestrator", version=VERSION)
    try:
        return _serve(settings, tokens)
    finally:
        flush()


def _serve(settings: Settings, tokens: Tokens) -> int:
    orchestrator = Orchestrator(settings, tokens)

    async def on_bind(address: str, port: int) -> None:
        await orchestrator.start()
        narrate(
            "server_bind",
            "HTTP server listening on {address}",
            actor="http-server",
            address=address,
            port=port,
        )

    async def on_shutdown(reason: str) -> None:
        narrate(
            "server_shutdown",
            "HTTP server shutting down gracefully",
            actor="http-server",
            reason=reason,
        )
        await orchestrator.stop()

    return Server(
        orchestrator.app,
        host=settings.host,
        port=settings.port,
        on_start=_on_start,
        on_bind=on_bind,
        on_bind_error=_on_bind_error,
        on_shutdown=on_shutdown,
        grace=settings.grace,
        parent_fd=settings.parent_fd,
    ).run()


def _on_start(address: str) -> None:
    narrate("startup", "Starting orchestrator on {address}", actor="orchestrator", address=address)


def _on_bind_error(address: str, error_kind: str) -> None:
    narrate(
        "error",
        "Failed to bind {address}: {error_kind}",
        actor="http-server",
        level="error",
        address=address,
        error_kind=error_kind,
    )


if __name__ == "__main__":
    sys.exit(main())
