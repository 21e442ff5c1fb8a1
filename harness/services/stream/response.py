"""A job's stream -> an HTTP response, written frame by frame as the reader reads.

Raw ASGI: Starlette's ``StreamingResponse`` costs a task group and a thread of callbacks for every
stream, four fifths of the throughput.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..web.errors import ApiError
from .buffer import JobStream, Reader
from .frames import KEEP_ALIVE, encode_frame

__all__ = ["SseResponse", "parse_last_event_id"]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

_MOST_DIGITS = 15
_TOO_SLOW = "READER_TOO_SLOW"
_REPLACED = "READER_REPLACED"


def parse_last_event_id(request: Request) -> int | None:
    """Return the id after which the client wants to go on, ``None`` when it wants everything.

    :raises ApiError: 400, the header is no id of ours.
    """
    shown = request.headers.get("last-event-id", "").strip()
    if not shown:
        return None
    if not (shown.isascii() and shown.isdigit() and len(shown) <= _MOST_DIGITS):
        raise ApiError(
            "invalid_request", "Last-Event-ID must be the id of a frame, a decimal number"
        )
    return int(shown)


class SseResponse:
    """Streams a job to one reader; the reader's leaving ends the response and nothing else.

    Attaching happens here, in the constructor, so that a refusal is still an HTTP status.

    :param keep_alive: seconds of silence after which a comment is sent.
    :param status: 200, or the status of a refusal that is worded as a stream.
    """

    def __init__(
        self,
        stream: JobStream,
        *,
        last_event_id: int | None = None,
        keep_alive: float = 15.0,
        status: int = 200,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.is_complete = False
        """Whether the reader was given the job's last frame."""
        self.cut_short: str | None = None
        """The code of the error that ended this reader's response before the job's last frame."""
        self._reader = stream.attach(last_event_id)
        self._keep_alive = keep_alive
        self._status = status
        self._headers = [*_HEADERS, *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_close_when_gone(receive, self._reader))
        try:
            await send(
                {"type": "http.response.start", "status": self._status, "headers": self._headers}
            )
            await self._write(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            self._reader.close()

    async def _write(self, send: Send) -> None:
        is_last = False
        while not is_last:
            try:
                chunk, is_last = await self._reader.next(self._keep_alive)
                self.is_complete = is_last and bool(chunk)
            except ApiError as gone:
                self.cut_short = _TOO_SLOW
                chunk, is_last = _too_slow(gone), True
            if not chunk and self._reader.was_replaced:
                self.cut_short = _REPLACED
                chunk, is_last = _replaced(), True
            if chunk or not is_last:
                await send(
                    {
                        "type": "http.response.body",
                        "body": chunk or KEEP_ALIVE,
                        "more_body": True,
                    }
                )


async def _close_when_gone(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.close()


def _too_slow(gone: ApiError) -> bytes:
    message = f"the reader fell behind: {gone.message}"
    return _error(_TOO_SLOW, message, retryable=True, **gone.facts)


def _replaced() -> bytes:
    # An EventSource that came back by itself would throw the other one out again.
    message = "another reader showed Last-Event-ID and took the stream over"
    return _error(_REPLACED, message, retryable=False)


def _error(code: str, message: str, *, retryable: bool, **facts: str | int) -> bytes:
    """Return a frame about this reader; without an id, as its place is the last frame it got."""
    error = {"type": "error", "code": code, "message": message, "retryable": retryable, **facts}
    return encode_frame("error", msgspec.json.encode(error))
