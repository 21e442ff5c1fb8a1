"""A refusal in words and in bytes: raised by handlers, sent by the application.

The envelope is ``{"error": {"code": "invalid_request", "message": "…"}}``; some codes add a field
that a program can act on, such as ``resume_after``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

__all__ = ["CODES", "ApiError"]

CODES: dict[str, int] = {
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "stream_in_use": 409,
    "replay_gone": 410,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "internal_error": 500,
    "overloaded": 503,
    "unavailable": 503,
}
"""Every code a service answers with, and its HTTP status."""

_encode = msgspec.json.Encoder().encode


class ApiError(Exception):
    """A request is refused: the code tells programs why, the message tells people.

    :param code: a key of :data:`CODES`.
    :param headers: extra response headers, such as ``{"Retry-After": "1"}``.
    :param facts: extra members of the error object.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        **facts: str | int,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = CODES[code]
        self.headers = dict(headers or {})
        self.facts = facts

    def body(self) -> bytes:
        """Return the envelope as JSON."""
        return _encode({"error": {"code": self.code, "message": self.message, **self.facts}})

    def response(self) -> Response:
        """Return the envelope with its status and headers."""
        return Response(
            self.body(), self.status, headers=self.headers, media_type="application/json"
        )
