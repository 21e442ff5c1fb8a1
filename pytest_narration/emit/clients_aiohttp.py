"""aiohttp clients that carry the narration context along and learn from the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra
from .headers import learn
from .otel import begin_call, require
from .outgoing import inject_call

if TYPE_CHECKING:
    import aiohttp

__all__ = ["aiohttp_trace_config"]


def aiohttp_trace_config(*, spans: bool = False) -> aiohttp.TraceConfig:
    """Return what ``aiohttp.ClientSession(trace_configs=[aiohttp_trace_config()])`` takes.

    Each request of the session, and each redirect it follows, gets the headers of the context
    that the calling task is in; each answer is learnt from. Retries that aiohttp makes by itself
    after a closed connection repeat the first try's headers.

    :param spans: make an OpenTelemetry client span of each call.
    :raises MissingExtra: aiohttp is not installed, or spans are asked for and OpenTelemetry is not.
    """
    try:
        import aiohttp
    except ImportError as error:
        raise MissingExtra("aiohttp", "aiohttp") from error
    config = aiohttp.TraceConfig()
    if spans:
        require()
        config.on_request_start.append(_on_start_in_span)
        config.on_request_redirect.append(_on_redirect_in_span)
        config.on_request_end.append(_on_end_of_span)
        config.on_request_exception.append(_on_exception)
    else:
        config.on_request_start.append(_on_start)
        config.on_request_redirect.append(_on_redirect)
        config.on_request_end.append(_on_end)
    return config


async def _on_start(_session: object, _trace: object, params: Any) -> None:
    inject_call(params.headers)


async def _on_redirect(_session: object, _trace: object, params: Any) -> None:
    learn(params.response.headers)
    inject_call(params.headers)


async def _on_end(_session: object, _trace: object, params: Any) -> None:
    learn(params.response.headers)


async def _on_start_in_span(_session: object, trace: Any, params: Any) -> None:
    trace.end_span = begin_call(params.method, lambda: inject_call(params.headers))


async def _on_redirect_in_span(_session: object, trace: Any, params: Any) -> None:
    trace.end_span(None)
    learn(params.response.headers)
    trace.end_span = begin_call(params.method, lambda: inject_call(params.headers))


async def _on_end_of_span(_session: object, trace: Any, params: Any) -> None:
    trace.end_span(None)
    learn(params.response.headers)


async def _on_exception(_session: object, trace: Any, params: Any) -> None:
    trace.end_span(params.exception)
