"""Clients that open a job's stream and do not read it."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["SilentReader"]

_SECONDS = 10.0
_SMALL = 4096


class SilentReader:
    """Asks for a stream and reads nothing; leaving the context, it vanishes without a goodbye.

    :param url: of the stream.
    :param token: that opens it.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._socket = socket.socket()
        # Little fits into its buffer, so that the sender feels it soon.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        self._socket.settimeout(_SECONDS)
        self._socket.connect((self._url.hostname or "", self._url.port or 80))
        self._socket.sendall(
            f"GET {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
            f"Authorization: Bearer {self._token}\r\nAccept: text/event-stream\r\n\r\n".encode()
        )
        return self

    def first_bytes(self) -> bytes:
        """Return the beginning of the answer: the stream is open."""
        assert self._socket is not None
        return self._socket.recv(_SMALL)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._socket is not None
        # Unread bytes in its buffer make this a reset, not a polite end.
        self._socket.close()
