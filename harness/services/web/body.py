"""Request bytes -> a JSON value, within limits; a value -> JSON response."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .errors import ApiError

__all__ = ["MAX_BODY_BYTES", "read_json", "reply"]

MAX_BODY_BYTES = 1 << 20

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


async def read_json(request: Request, *, limit: int = MAX_BODY_BYTES) -> Any:
    """Return the body as a JSON value.

    :param limit: bytes; a longer body is refused before it is kept.
    :raises ApiError: 415 when it is not declared as JSON, 413 when it is too long, 400 when it is
        not JSON (RFC 8259: ``NaN``, lone surrogates and trailing text are not).
    """
    declared = request.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    if kind != "application/json":
        shown = f"'{declared[:60]}'" if declared else "none"
        raise ApiError(
            "unsupported_media_type", f"Content-Type must be application/json, got {shown}"
        )
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:18]) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    except ClientDisconnect as gone:
        raise ApiError("invalid_request", "the client left before its body ended") from gone
    try:
        return _decode(b"".join(chunks))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ApiError("invalid_request", f"the body is not JSON: {why[:200]}") from error


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return the value as a JSON response."""
    return Response(_encode(value), status, headers=headers, media_type="application/json")


def _too_large(limit: int) -> ApiError:
    # The rest of the body stays unread, so the connection cannot be used again.
    return ApiError(
        "payload_too_large",
        f"the body is longer than {limit} bytes",
        headers={"Connection": "close"},
    )
