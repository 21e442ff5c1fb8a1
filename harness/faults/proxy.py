"""A proxy between two services: HTTP requests pass through faults that tests put in and take out.

Neither side knows. Streams pass piece by piece; a broken side breaks the other. The proxies of a
cluster share one thread with a loop of its own, so that a blocking test step does not stop them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

__all__ = ["Answer", "Broken", "Call", "Fault", "Forward", "Proxy", "ProxyThread"]

T = TypeVar("T")
_START_SECONDS = 10.0
_HOST = "127.0.0.1"
_OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length"})
"""Headers that belong to a connection: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1"""


@dataclass
class Call:
    """A request on its way; faults may change it."""

    method: str
    target: str
    """Path and query."""
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Answer:
    """What comes back; ``pieces`` of a stream come as they are sent."""

    status: int
    headers: CIMultiDict[str]
    pieces: AsyncIterator[bytes]


class Broken(Exception):
    """Raised by a fault: both connections are cut, without an answer or in its middle."""


Forward = Callable[[Call], Awaitable[Answer]]
Fault = Callable[[Call, Forward], Awaitable[Answer]]
"""Gets a call and the way onward; may change, delay, repeat or never take it."""


class ProxyThread:
    """The loop of all proxies of a cluster."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fault-proxies", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the loop, from any other thread, and return what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    def close(self) -> None:
        """End the loop; the proxies must be closed already."""
        if self._loop.is_closed():
            return
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()


class Proxy:
    """Listens on a port of this machine and passes on to ``upstream``.

    :param upstream: gives ``"http://host:port"``; an exception of it answers 503.
    :param host: the address that it binds.
    """

    def __init__(self, thread: ProxyThread, upstream: Callable[[], str], host: str = _HOST) -> None:
        self._prepare(thread, upstream, host)
        thread.run(self._start())

    @classmethod
    async def on_this_loop(
        cls, thread: ProxyThread, upstream: Callable[[], str], host: str = _HOST
    ) -> Proxy:
        """Return a proxy that is made on the proxies' own loop."""
        proxy = cls.__new__(cls)
        proxy._prepare(thread, upstream, host)
        await proxy._start()
        return proxy

    def _prepare(self, thread: ProxyThread, upstream: Callable[[], str], host: str) -> None:
        self.upstream = upstream
        self._faults: list[Fault] = []
        self._thread = thread
        self._listener = socket.create_server((host, 0))
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.address}"

    def add(self, fault: Fault) -> None:
        """Put a fault in, outside of those that are in already."""
        self._faults.append(fault)

    def remove(self, fault: Fault) -> None:
        """Take a fault out; calls that are inside it stay there."""
        self._faults.remove(fault)

    @contextlib.contextmanager
    def having(self, fault: Fault) -> Iterator[None]:
        """Have a fault in while the context lasts."""
        self.add(fault)
        try:
            yield
        finally:
            self.remove(fault)

    def close(self) -> None:
        """Stop listening and cut what passes."""
        self._thread.run(self._stop())

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        # A caller that leaves must be felt by the other side.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def _stop(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Call(request.method, request.path_qs, _kept(request.headers), await request.read())
        forward: Forward = self._pass_on
        for fault in self._faults:
            forward = _through(fault, forward)
        try:
            answer = await forward(call)
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            await response.prepare(request)
            async for piece in answer.pieces:
                await response.write(piece)
        except (Broken, aiohttp.ClientError, OSError):
            # Neither an answer nor its end: the caller sees a connection that breaks.
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        with contextlib.suppress(aiohttp.ClientError, OSError):  # the caller has left meanwhile
            await response.write_eof()
        return response

    async def _pass_on(self, call: Call) -> Answer:
        assert self._session is not None
        try:
            url = self.upstream() + call.target
        except Exception:  # whoever knows the address does not know it yet
            return Answer(503, CIMultiDict(), _pieces(b""))
        answer = await self._session.request(
            call.method, url, data=call.body or None, headers=call.headers
        )
        return Answer(answer.status, _kept(answer.headers), _until_end(answer))


def _through(fault: Fault, forward: Forward) -> Forward:
    async def passed(call: Call) -> Answer:
        return await fault(call, forward)

    return passed


def _kept(headers: Any) -> CIMultiDict[str]:
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in _OF_ONE_HOP)


async def _until_end(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        answer.close()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
