"""Clients that open a job's stream and do not read it, or hardly."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from pytest_narration.errors import WaitTimeout
from pytest_narration.sse import Decoder, Overlong, ServerSentEvent

__all__ = ["SilentReader", "SlowReader"]

_SECONDS = 10.0
_SILENCE = 60.0
_SMALL = 4096
_PIECE = 512


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
        self._socket = _connected(self._url.hostname or "", self._url.port or 80)
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


class SlowReader:
    """Reads a stream to its end, at so many bytes a second, in a thread.

    :param url: of the stream.
    :param token: that opens it.
    :param pace: bytes a second.
    :param last_event_id: the frame that it has read already.
    """

    def __init__(self, url: str, token: str, *, pace: int, last_event_id: str = "") -> None:
        self._url = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        if last_event_id:
            self._headers["Last-Event-ID"] = last_event_id
        self.pace = pace
        """May be changed while it reads."""
        self._leaving = threading.Event()
        self._ended = threading.Event()
        self._decoder = Decoder()
        self._thread = threading.Thread(target=self._read, name="slow-reader", daemon=True)
        self.frames: list[ServerSentEvent] = []
        """What it has read so far."""
        self.refusal: dict[str, Any] = {}
        """What the answer's ``error`` said, if it was no stream."""
        self.broke = ""
        """How its connection broke, if it did."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    @property
    def is_reading(self) -> bool:
        """Whether it has not yet come to the end."""
        return not self._ended.is_set()

    def wait(self, timeout: float) -> None:
        """Wait until it has read everything.

        :raises WaitTimeout: it is not that far; the message says how far it is.
        """
        if not self._ended.wait(timeout):
            raise WaitTimeout(
                f"a slow reader came to no end within {timeout:g} s; it has {len(self.frames)} "
                f"frames, the latest: {self.frames[-1:]}"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._thread.join(_SECONDS)

    def _take(self, piece: bytes) -> None:
        for frame in self._decoder.feed(piece):
            if isinstance(frame, Overlong):
                raise http.client.HTTPException(frame.why)
            self.frames.append(frame)

    def _read(self) -> None:
        host, port = self._url.hostname or "", self._url.port or 80
        connection = http.client.HTTPConnection(host, port, timeout=_SILENCE)
        try:
            connection.sock = _connected(host, port)
            connection.request("GET", self._url.path, headers=self._headers)
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                self.refusal = json.loads(answer.read())["error"]
                return
            while (piece := answer.read1(_PIECE)) and not self._leaving.wait(
                len(piece) / self.pace
            ):
                self._take(piece)
        except (OSError, ValueError, LookupError, http.client.HTTPException) as error:
            self.broke = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
            self._ended.set()


def _connected(host: str, port: int) -> socket.socket:
    made = socket.socket()
    # Little fits into its buffer, so that the sender feels it soon.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    made.settimeout(_SILENCE)
    try:
        made.connect((host, port))
    except BaseException:
        made.close()
        raise
    return made
