"""Bytes that are no HTTP request -> a request that the application refuses like any other.

uvicorn answers them itself, in plain text and unheard. Here the application gets a request that
says only what is wrong with it, so the refusal has its correlation id, its envelope and its event.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .errors import ApiError

__all__ = ["MALFORMED", "MAX_HEAD_BYTES", "Protocol"]

MALFORMED = "narration.malformed"
"""The key in a request's scope under which it says why it is none."""

MAX_HEAD_BYTES = 64_000
"""Of a request's target and headers; the parser's own lengths have 16 bits."""

_TOO_LONG = f"the request's target and headers are longer than {MAX_HEAD_BYTES} bytes"


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._is_in_head = False
        self._why = ""
        self._is_broken = False

    def data_received(self, data: bytes) -> None:
        """Parse, until the first byte that makes no sense: the rest makes none either."""
        if self._is_broken:
            return
        super().data_received(data)
        # The parser keeps a header to itself until it is whole.
        self._unfinished_bytes = self._unfinished_bytes + len(data) if self._is_in_head else 0
        if self._unfinished_bytes > MAX_HEAD_BYTES and not self._is_broken:
            self._why = _TOO_LONG
            self.send_400_response(_TOO_LONG)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._head_bytes = 0
        self._is_in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over."""
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; what follows has headers of its own."""
        super().on_message_complete()
        self.headers = []

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not understand; called by uvicorn."""
        self._is_broken = True
        before = self.cycle
        if before is None or before.response_complete:
            self._refuse(self._why or "this is no HTTP/1.1 request")
        elif before.more_body:
            # The body of a request that is being handled: only the connection can tell.
            self._hang_up(before)
        else:
            # A whole request came first, and its answer may still be on its way.
            before.keep_alive = False

    def _refuse(self, why: str) -> None:
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            # Not the request's own, which are not to be trusted: what it is said to be is shown.
            "method": "malformed",
            "path": "request",
            "raw_path": b"request",
            "query_string": b"",
            "headers": self.headers or [],
            "state": self.app_state.copy(),
            MALFORMED: why,
        }
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def _hang_up(self, cycle: RequestResponseCycle) -> None:
        if not cycle.response_started:
            body = ApiError("invalid_request", "the request's body breaks HTTP/1.1").body()
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
            )
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._why = _TOO_LONG
            # httptools turns it into the error that uvicorn takes for a wrong request.
            raise ValueError(_TOO_LONG)
