"""httpx clients that carry the narration context along and learn from the answers.

httpx is for tests and occasional calls; between services aiohttp costs a tenth of it per call.
Nothing here imports httpx unless a transport has to be made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import MissingExtra
from .headers import learn
from .otel import calling, require
from .outgoing import inject_call

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

    _SyncBase = httpx.BaseTransport
    _AsyncBase = httpx.AsyncBaseTransport
    _Client = TypeVar("_Client", httpx.Client, httpx.AsyncClient)
else:
    # httpx asks a transport for its methods, not for its class.
    _SyncBase = _AsyncBase = object
    _Client = TypeVar("_Client")

__all__ = ["AsyncNarrationTransport", "NarrationTransport", "instrument_httpx"]


class NarrationTransport(_SyncBase):
    """Wraps the transport of an :class:`httpx.Client`: ``Client(transport=NarrationTransport())``.

    :param wrapped: what sends the requests; a fresh ``httpx.HTTPTransport`` when omitted.
    :param spans: make an OpenTelemetry client span of each call.
    """

    def __init__(self, wrapped: httpx.BaseTransport | None = None, *, spans: bool = False) -> None:
        self._wrapped = _httpx().HTTPTransport() if wrapped is None else wrapped
        self._spans = spans
        if spans:
            require()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        with calling(request.method if self._spans else None):
            inject_call(request.headers, request.extensions)
            response = self._wrapped.handle_request(request)
        learn(response.headers)
        return response

    def __enter__(self) -> NarrationTransport:
        self._wrapped.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._wrapped.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Close the wrapped transport."""
        self._wrapped.close()


class AsyncNarrationTransport(_AsyncBase):
    """The same for an :class:`httpx.AsyncClient`."""

    def __init__(
        self, wrapped: httpx.AsyncBaseTransport | None = None, *, spans: bool = False
    ) -> None:
        self._wrapped = _httpx().AsyncHTTPTransport() if wrapped is None else wrapped
        self._spans = spans
        if spans:
            require()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        with calling(request.method if self._spans else None):
            inject_call(request.headers, request.extensions)
            response = await self._wrapped.handle_async_request(request)
        learn(response.headers)
        return response

    async def __aenter__(self) -> AsyncNarrationTransport:
        await self._wrapped.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._wrapped.__aexit__(kind, error, traceback)

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._wrapped.aclose()


def instrument_httpx(client: _Client) -> _Client:
    """Add event hooks to a client that exists already, and return it. Twice is as good as once."""
    is_async = hasattr(client, "aclose")
    hooks: dict[str, list[Any]] = client.event_hooks
    ours = (_inject_async, _learn_async) if is_async else (_inject, _learn)
    for kind, hook in zip(("request", "response"), ours, strict=True):
        if hook not in hooks[kind]:
            hooks[kind].append(hook)
    # The property hands out its own lists, and takes only a whole mapping.
    client.event_hooks = hooks
    return client


def _inject(request: httpx.Request) -> None:
    inject_call(request.headers, request.extensions)


def _learn(response: httpx.Response) -> None:
    learn(response.headers)


async def _inject_async(request: httpx.Request) -> None:
    inject_call(request.headers, request.extensions)


async def _learn_async(response: httpx.Response) -> None:
    learn(response.headers)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtra("httpx", "all") from error
    return httpx
