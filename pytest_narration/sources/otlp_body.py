"""A POST of an exporter -> its body: measured or in chunks, plain or gzip, whole or refused."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import BinaryIO

__all__ = ["Refused", "body_of"]

_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_LINE = 1024
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class Refused(Exception):
    """A request that cannot be taken: the HTTP status, the reason, and what arrived of it."""

    def __init__(self, status: int, why: str, body: bytes = b"") -> None:
        super().__init__(why)
        self.status = status
        self.body = body


def body_of(headers: Mapping[str, str], file: BinaryIO) -> bytes:
    """Read the body that follows the headers, and unpack it.

    :raises Refused: it is too long, of unknown length, not all there, or packed otherwise. What
        is left on the connection is no request then.
    """
    if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
        body = _chunks(file)
    else:
        body = _measured(headers.get("Content-Length", ""), file)
    return _unpacked(body, headers.get("Content-Encoding", "").strip().lower())


def _measured(size: str, file: BinaryIO) -> bytes:
    if not (size.isascii() and size.isdigit()):
        raise Refused(411, "neither a Content-Length nor chunks")
    if int(size[:20]) > _MOST_BYTES:
        raise Refused(413, f"Content-Length is {size[:20]}; the most is {_MOST_BYTES}")
    body = file.read(int(size))
    if len(body) < int(size):
        raise Refused(400, f"the client went away after {len(body)} of {size} bytes", body)
    return body


def _chunks(file: BinaryIO) -> bytes:
    """Read a body of unknown length (RFC 9112, section 7.1): Node's exporters send such."""
    pieces: list[bytes] = []
    total, length = 0, 1
    while length:
        size = file.readline(_LONGEST_LINE).partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise Refused(400, f"{size[:40]!r} is no size of a chunk", b"".join(pieces))
        length = int(size, 16)
        total += length
        if total > _MOST_BYTES:
            raise Refused(413, f"more than {_MOST_BYTES} bytes", b"".join(pieces))
        piece = file.read(length)
        pieces.append(piece)
        if len(piece) < length:
            why = f"the client went away within a chunk of {length} bytes"
            raise Refused(400, why, b"".join(pieces))
        if length:
            file.readline(_LONGEST_LINE)
    while file.readline(_LONGEST_LINE).strip():
        pass  # trailers
    return b"".join(pieces)


def _unpacked(body: bytes, coding: str) -> bytes:
    if coding in ("", "identity"):
        return body
    if coding != "gzip":
        raise Refused(415, f"content encoding {coding!r}; use gzip or none", body)
    try:
        unpack = zlib.decompressobj(wbits=31)
        plain = unpack.decompress(body, _MOST_BYTES)
    except zlib.error as error:
        raise Refused(400, f"not gzip: {error}", body) from None
    if unpack.unconsumed_tail:
        raise Refused(413, f"more than {_MOST_BYTES} bytes unpacked", body)
    if not unpack.eof:
        raise Refused(400, "not gzip: it ends early", body)
    return plain
