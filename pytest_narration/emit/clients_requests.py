"""requests sessions that carry the narration context along and learn from the answers."""

from __future__ import annotations

from typing import Any

from .headers import learn
from .otel import calling, require
from .outgoing import inject_call

__all__ = ["NarrationAdapter", "instrument_requests"]


class NarrationAdapter:
    """Wraps a transport adapter of requests: what ``session.mount(prefix, adapter)`` takes.

    :param wrapped: what sends the requests: a ``requests.adapters.HTTPAdapter`` or the like.
    :param spans: make an OpenTelemetry client span of each call.
    """

    def __init__(self, wrapped: Any, *, spans: bool = False) -> None:
        self.wrapped = wrapped
        self._spans = spans
        if spans:
            require()

    def send(self, request: Any, **options: Any) -> Any:
        """Send one prepared request; redirects come through here one by one."""
        with calling(request.method if self._spans else None):
            inject_call(request.headers, vars(request))
            response = self.wrapped.send(request, **options)
        learn(response.headers)
        return response

    def close(self) -> None:
        """Close the wrapped adapter."""
        self.wrapped.close()


def instrument_requests(session: Any, *, spans: bool = False) -> Any:
    """Wrap every adapter that a ``requests.Session`` has, and return it. Twice is as good as once.

    An adapter that is mounted afterwards is not wrapped: mount a :class:`NarrationAdapter`.
    """
    for prefix, adapter in session.adapters.items():
        if not isinstance(adapter, NarrationAdapter):
            session.adapters[prefix] = NarrationAdapter(adapter, spans=spans)
    return session
