"""An ASGI app -> a process: binds, says where, answers signals, ends in bounded time.

uvicorn on uvloop does the HTTP. Binding is done here, so that the kernel may choose the port and
a taken one is an answer (exit status 1) instead of a log line; so are signals, because a graceful
end is exit status 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from .parent import watch_parent
from .protocol import Protocol

__all__ = ["Server", "serve"]

_KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than our clients keep theirs, so that a server
never closes a connection in the moment a client uses it again."""

_BACKLOG = 4096

OnStart = Callable[[str], Awaitable[None] | None]
OnBind = Callable[[str, int], Awaitable[None] | None]
OnBindError = Callable[[str, str], Awaitable[None] | None]
OnShutdown = Callable[[str], Awaitable[None] | None]


class Server:
    """One listening service; see :func:`serve` for the parameters."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        on_start: OnStart | None = None,
        on_bind: OnBind | None = None,
        on_bind_error: OnBindError | None = None,
        on_shutdown: OnShutdown | None = None,
        grace: float = 5.0,
        parent_fd: int | None = None,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._on_start = on_start
        self._on_bind = on_bind
        self._on_bind_error = on_bind_error
        self._on_shutdown = on_shutdown
        self._grace = grace
        self._parent_fd = parent_fd
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._reason = ""
        self._failed = False

    def stop(self, reason: str) -> None:
        """Ask for a graceful end, from any thread; the first reason stands."""
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._stop, reason)

    def run(self) -> int:
        """Serve until a signal or :meth:`stop`; return the exit status."""
        _allow_many_connections()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(self.main())

    async def main(self) -> int:
        """Serve on the running loop; return the exit status."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        asked = _shown(self._host, self._port)
        await _call(self._on_start, asked)
        try:
            listener = _bind(self._host, self._port)
        except OSError as error:
            await _call(self._on_bind_error, asked, _kind_of(error))
            return 1
        port: int = listener.getsockname()[1]
        http = _Uvicorn(self._config())
        with self._signals():
            if self._parent_fd is not None:
                watch_parent(
                    self._parent_fd,
                    lambda: self.stop("parent gone"),
                    hard_after=self._grace * 2 + 1,
                )
            serving = asyncio.create_task(http.serve(sockets=[listener]))
            up = asyncio.create_task(http.is_up.wait())
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                up.cancel()
                await serving
                return 1
            bound = asyncio.create_task(self._announce(_shown(self._host, port), port))
            await self._stopping.wait()
            await self._wind_down(bound)
            http.should_exit = True
            await serving
        return 1 if self._failed else 0

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            log_config=None,
            log_level="critical",  # stdout belongs to the narration
            access_log=False,
            lifespan="off",
            ws="none",
            http=Protocol,
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(self._grace)),
        )

    async def _announce(self, address: str, port: int) -> None:
        try:
            await _call(self._on_bind, address, port)
        except Exception:  # the service's own start-up: whatever fails there ends the process
            traceback.print_exc(file=sys.stderr)
            self._failed = True
            self._stop("start-up failed")

    async def _wind_down(self, bound: asyncio.Task[None]) -> None:
        bound.cancel()
        try:
            async with asyncio.timeout(self._grace):
                with contextlib.suppress(asyncio.CancelledError):
                    await bound
                await _call(self._on_shutdown, self._reason)
        except Exception:  # the service's own clean-up: the process ends all the same
            traceback.print_exc(file=sys.stderr)
            self._failed = True

    def _stop(self, reason: str) -> None:
        assert self._stopping is not None
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        assert self._loop is not None
        seen: list[signal.Signals] = []

        def on_signal(number: signal.Signals) -> None:
            if seen:
                os._exit(128 + number)  # asked twice: at once, whatever is still running
            seen.append(number)
            self._stop(number.name)

        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, on_signal, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._loop.remove_signal_handler(number)


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    on_start: OnStart | None = None,
    on_bind: OnBind | None = None,
    on_bind_error: OnBindError | None = None,
    on_shutdown: OnShutdown | None = None,
    grace: float = 5.0,
    parent_fd: int | None = None,
) -> int:
    """Serve until SIGTERM, SIGINT or the parent's end; return the exit status. Blocks.

    Callbacks may be coroutine functions.

    :param port: 0 lets the kernel choose.
    :param on_start: called with the address that will be bound, ``"127.0.0.1:0"``.
    :param on_bind: called with address and port when requests are being answered; it may run as
        long as it likes, and ends the process with status 1 when it raises.
    :param on_bind_error: called with address and reason, ``"EADDRINUSE"``; status 1 follows.
    :param on_shutdown: called with the reason, ``"SIGTERM"``, while requests are still answered.
    :param grace: seconds for ``on_shutdown``, and again for the responses under way.
    :param parent_fd: read end of a pipe that ends with the process that started this one.
    """
    return Server(
        app,
        host=host,
        port=port,
        on_start=on_start,
        on_bind=on_bind,
        on_bind_error=on_bind_error,
        on_shutdown=on_shutdown,
        grace=grace,
        parent_fd=parent_fd,
    ).run()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers, which would end the process by the signal again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _call(callback: Callable[..., Awaitable[None] | None] | None, *args: object) -> None:
    if callback is not None:
        result = callback(*args)
        if inspect.isawaitable(result):
            await result


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two sockets may bind one port with SO_REUSEADDR; only one of them may listen.
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _kind_of(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "EAI_NONAME"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop
