"""The HTTP calls that a test makes itself -> exchanges, for the rules about responses.

A client that exists is watched through its own hooks: nothing is sent or changed by it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..errors import ConfigurationError
from ..recorder import Recorder

__all__ = ["watch"]

_Client = TypeVar("_Client")


def watch(client: _Client, recorder: Recorder, *, source: str = "test") -> _Client:
    """Record every answered call of a client from here on, and return the client.

    Twice is as good as once. A call that gets no answer leaves no exchange.

    :param client: an ``httpx.Client`` (FastAPI's and starlette's ``TestClient`` are), an
        ``httpx.AsyncClient`` or a ``requests.Session``.
    :param source: who calls, in messages.
    :raises ConfigurationError: it is another kind of client.
    """
    hooks = getattr(client, "event_hooks", None)
    if isinstance(hooks, dict) and "response" in hooks:
        kind = _AsyncHook if hasattr(client, "aclose") else _Hook
        _add(hooks["response"], kind(recorder, source))
        # httpx hands out its own lists, and takes only a whole mapping.
        client.event_hooks = hooks  # type: ignore[attr-defined]  # checked above
        return client
    hooks = getattr(client, "hooks", None)
    if isinstance(hooks, dict) and isinstance(hooks.get("response"), list):
        _add(hooks["response"], _Hook(recorder, source))
        return client
    raise ConfigurationError(
        f"cannot watch a {type(client).__module__}.{type(client).__qualname__}: expected an "
        "httpx.Client (FastAPI's TestClient is one), an httpx.AsyncClient or a requests.Session; "
        "add_exchange() records the calls of other clients"
    )


class _Watch:
    """Records a response of httpx or requests, which name its parts alike."""

    def __init__(self, recorder: Recorder, source: str) -> None:
        self.recorder = recorder
        self.source = source

    def _record(self, response: Any) -> None:
        self.recorder.add_exchange(
            source=self.source,
            method=response.request.method,
            url=str(response.request.url),
            status=response.status_code,
            request_headers=_texts(response.request.headers),
            response_headers=_texts(response.headers),
        )


class _Hook(_Watch):
    def __call__(self, response: Any, **_: Any) -> None:
        self._record(response)


class _AsyncHook(_Watch):
    async def __call__(self, response: Any, **_: Any) -> None:
        self._record(response)


def _texts(headers: Any) -> dict[str, str]:
    # requests keeps what the caller gave, which may be bytes.
    return {
        str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }


def _add(hooks: list[Any], hook: _Watch) -> None:
    if not any(isinstance(h, _Watch) and h.recorder is hook.recorder for h in hooks):
        hooks.append(hook)
