"""A peer that answers every connection with bytes of the test's choice: wrong ones, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["CHUNKED", "Script", "chunk", "scripted_peer"]

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Called with the head of a request; writes what it likes, and returns to close."""

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; ``chunk(b"")`` ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def scripted_peer(script: Script, *, port: int = 0) -> AsyncIterator[str]:
    """Listen, on a port of the kernel's choice unless one is given, and yield the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await script(head, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    host, bound = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{bound}"
    finally:
        server.close()
