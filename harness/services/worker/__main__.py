"""``python -m harness.services.worker``: one worker process, from its first event to its status.

Exit status: 0 after a graceful end; 1 when the address, the device, the model or the pool manager
is not to be had; 2 for a wrong command line or a missing token.
"""

from __future__ import annotations

import os
import sys

from ..orphan import wake_when_orphaned

if __name__ == "__main__":
    wake_when_orphaned()

from .options import Options, parse

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run a worker; return its exit status."""
    return _run(parse(arguments))


def _run(options: Options) -> int:
    # Not at the top: --help and a mistyped option need no web server.
    from pytest_narration.emit import configure, extract, flush, narrate, narration_context

    from ..web import MissingToken, Server, Tokens
    from . import __version__
    from .service import Service

    try:
        tokens = Tokens.from_environment()
    except MissingToken as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure(service="worker", version=__version__)
    # Whoever started the process says so in its environment, as a caller does in headers.
    with narration_context(cause=extract(os.environ).cause):
        narrate(
            "startup",
            "Starting worker {worker_id} on port {port}",
            actor="llm-worker",
            worker_id=options.worker_id,
            port=options.port,
            pid=os.getpid(),
        )
    service = Service(options, tokens=tokens, stop=lambda reason: server.stop(reason))
    server = Server(
        service.app(),
        host=options.host,
        port=options.port,
        on_start=service.on_start,
        on_bind=service.on_bind,
        on_bind_error=service.on_bind_error,
        on_shutdown=service.on_shutdown,
        # Its clean-up waits for the jobs' grace and for what they say at their end.
        grace=options.grace + 2.0,
        parent_fd=options.parent_fd,
    )
    status = server.run()
    if service.failed:
        status = 1
    service.backend.end()
    flush()
    return status


if __name__ == "__main__":
    _status = main()
    for _stream in (sys.stdout, sys.stderr):
        _stream.flush()
    # The interpreter's own end would take torch apart piece by piece, seconds in which nothing is
    # said or done; and an import of torch that is under way must not lose the interpreter.
    os._exit(_status)
