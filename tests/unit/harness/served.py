"""An ASGI app on a real socket, for what an in-process transport cannot show: flow and absence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from harness.services.web import Server

__all__ = ["served"]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve the app on a port of the kernel's choice and yield the address."""
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = Server(
        app,
        host="127.0.0.1",
        port=0,
        on_bind=lambda address, port: bound.set_result(address),
        grace=1.0,
    )
    serving = asyncio.create_task(server.main())
    async with asyncio.timeout(10):
        address = await bound
    try:
        yield address
    finally:
        server.stop("the test is over")
        await serving
