"""HTTP calls of a scenario: what was asked, what was answered, how long it took."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import StepFailed
from ..sources.tls import trusted

if TYPE_CHECKING:
    import httpx

    from ..fixtures import Narration

__all__ = ["Answer", "Body", "Client"]

_CALL_SECONDS = 30.0
_CORRELATION = ("x-correlation-id", "x-request-id")
_SHOWN = 500


@dataclass(frozen=True)
class Body:
    """What a request carries; nothing by default."""

    content: bytes | None = None
    content_type: str = ""

    @classmethod
    def json(cls, value: Any) -> Body:
        """Return a body of JSON."""
        return cls(json.dumps(value, ensure_ascii=False).encode(), "application/json")

    @classmethod
    def text(cls, value: str) -> Body:
        """Return a body of plain text."""
        return cls(value.encode("utf-8", "surrogatepass"), "text/plain; charset=utf-8")


@dataclass(frozen=True)
class Answer:
    """One answer and the request it belongs to."""

    response: httpx.Response
    seconds: float
    """From the request's first byte to the answer's last."""

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    @property
    def correlation_id(self) -> str | None:
        """The id that the answer carries, else the one that was sent, else one in its JSON."""
        for side in (self.response.headers, self.response.request.headers):
            for name in _CORRELATION:
                if side.get(name):
                    return str(side[name])
        try:
            document = self.response.json()
        except ValueError:
            return None
        found = document.get("correlation_id") if isinstance(document, dict) else None
        return found if isinstance(found, str) else None

    def json(self) -> Any:
        """Return the JSON of the answer.

        :raises StepFailed: it is none.
        """
        try:
            return self.response.json()
        except ValueError as error:
            raise StepFailed(f"the answer is no JSON: {error}\n{self}") from error

    def __str__(self) -> str:
        request, text = self.response.request, self.response.text
        kind = self.response.headers.get("content-type", "no content type")
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
        return (
            f"{request.method} {request.url} was answered with status {self.status} "
            f"({kind}) in {self.seconds * 1000:.0f} ms:\n  {shown or '(nothing)'}"
        )


@dataclass
class Client:
    """Sends requests and records each of them; safe to use from several threads."""

    narration: Narration
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every request."""
    _http: httpx.Client | None = None

    def send(self, method: str, url: str, body: Body, headers: dict[str, str]) -> Answer:
        """Send one request and return its answer, whatever it is.

        :raises StepFailed: nothing answers.
        """
        import httpx

        if self._http is None:
            limits = httpx.Limits(max_connections=None)
            self._http = httpx.Client(
                timeout=_CALL_SECONDS, verify=trusted(), trust_env=False, limits=limits
            )
        sent = {"Content-Type": body.content_type} if body.content_type else {}
        # Names in any case mean the same header; what is said last counts.
        merged = httpx.Headers(sent)
        merged.update(self.headers)
        merged.update(headers)
        began = time.perf_counter()
        try:
            response = self._http.request(method, url, content=body.content, headers=merged)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StepFailed(
                f"nothing answers {method} {url}: {error or type(error).__name__}"
            ) from error
        elapsed = time.perf_counter() - began
        self.narration.add_exchange(
            source="scenario",
            method=method,
            url=str(response.request.url),
            status=response.status_code,
            request_headers=dict(response.request.headers),
            response_headers=dict(response.headers),
        )
        return Answer(response, elapsed)

    def close(self) -> None:
        """Close its connections."""
        if self._http is not None:
            self._http.close()
