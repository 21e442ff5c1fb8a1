"""Calls to the next service: JSON in, JSON or a stream out, failures as one kind of exception.

aiohttp costs a tenth of httpx per call (DESIGN: Libraries). Headers of the running narration
context travel along, and what the answer says about causes is learnt.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from pytest_narration.emit import inject, learn

from .stream import Upstream
from .web import Tokens

__all__ = ["Hop", "HopError"]

_MAX_ANSWER_BYTES = 1 << 20


class HopError(Exception):
    """The next service did not do what was asked.

    :param kind: ``"ECONNREFUSED"``, ``"TIMEOUT"``, ``"DISCONNECTED"``, ``"HTTP_503"``…
    :param status: the answer's HTTP status, 0 without an answer.
    :param code: the error code of the answer's envelope.
    """

    def __init__(self, kind: str, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code


class Hop:
    """A client of other services; opened and closed on the event loop that uses it."""

    def __init__(self, tokens: Tokens) -> None:
        self._session = aiohttp.ClientSession(
            # The default of 100 connections would make the 101st concurrent job wait unseen.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
            headers=tokens.authorization,
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def call(
        self,
        method: str,
        url: str,
        body: object = None,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  of the whole call, whatever it waits for
    ) -> dict[str, Any]:
        """Send JSON and return the JSON object of the answer, ``{}`` when it has none.

        :raises HopError: no answer in ``timeout`` seconds, or one that is not 2xx.
        """
        try:
            async with asyncio.timeout(timeout):
                async with self._session.request(
                    method, url, data=_encoded(body), headers=inject(_headers(body))
                ) as answer:
                    learn(answer.headers)
                    text = await _read(answer)
                    if answer.status >= 300:
                        raise _refused(answer.status, text)
                    return _object(text)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _failed(error) from error

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        body: object,
        *,
        connect_timeout: float = 5.0,
        silence: float = 60.0,
    ) -> AsyncIterator[Upstream]:
        """Start a job on the next service and yield its stream.

        :param connect_timeout: seconds until the answer's headers.
        :param silence: seconds without a byte after which the service counts as gone.
        :raises HopError: at the start, or from the frames when the connection breaks.
        """
        answer: aiohttp.ClientResponse | None = None
        try:
            try:
                async with asyncio.timeout(connect_timeout):
                    answer = await self._session.post(
                        url,
                        data=_encoded(body),
                        headers=inject({**_headers(body), "Accept": "text/event-stream"}),
                        timeout=aiohttp.ClientTimeout(total=None, sock_read=silence),
                    )
                learn(answer.headers)
                if answer.content_type != "text/event-stream":
                    text = await _read(answer)
                    raise _refused(answer.status, text)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                raise _failed(error) from error
            yield Upstream(_chunks(answer))
        finally:
            if answer is not None:
                # Not release(): the rest of an abandoned stream must not be read to its end.
                answer.close()


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise _failed(error) from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    text = b""
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > _MAX_ANSWER_BYTES:
            raise HopError("BAD_ANSWER", f"the answer is longer than {_MAX_ANSWER_BYTES} bytes")
    return text


def _encoded(body: object) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _headers(body: object) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/json"}


def _object(text: bytes) -> dict[str, Any]:
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HopError("BAD_ANSWER", f"the answer is no JSON object: {error}") from error


def _refused(status: int, text: bytes) -> HopError:
    try:
        envelope = msgspec.json.decode(text, type=dict[str, dict[str, Any]])["error"]
        code, message = str(envelope["code"]), str(envelope["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        code, message = "", f"HTTP status {status}"
    return HopError(f"HTTP_{status}", message, status=status, code=code)


def _failed(error: Exception) -> HopError:
    if isinstance(error, HopError):
        return error
    if isinstance(error, TimeoutError):
        return HopError("TIMEOUT", "the service did not answer in time")
    kind = errno.errorcode.get(getattr(error, "errno", None) or 0)
    if kind is not None:
        return HopError(kind, f"the service cannot be reached: {kind}")
    return HopError("DISCONNECTED", f"the connection broke: {type(error).__name__}")
