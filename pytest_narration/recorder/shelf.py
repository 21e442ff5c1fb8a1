"""Events in order: the last ones as objects, older ones packed into bytes.

An event as an object takes some 1,600 bytes, packed about as much as its line. A test's few
thousand events stay objects and cost nothing extra; a long capture stays affordable, and the
garbage collector has nothing to walk through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..event import Event

__all__ = ["Shelf"]

UNPACKED = 4096
"""Events that stay objects, the youngest."""

_pack_into = msgspec.msgpack.Encoder().encode_into
_unpack = msgspec.msgpack.Decoder(Event).decode


class Shelf:
    """An append-only sequence of events; one writer, any number of readers without a lock."""

    def __init__(self, unpacked: int = UNPACKED) -> None:
        self._kept: list[Event | bytes] = []
        self._packed = 0
        self._unpacked = unpacked
        self._buffer = bytearray(1024)

    def __len__(self) -> int:
        return len(self._kept)

    def append(self, event: Event) -> None:
        """Add an event, and pack the one that is no longer among the youngest."""
        self._kept.append(event)
        # One for one: no append ever pauses to pack many.
        if len(self._kept) - self._packed > self._unpacked:
            self._pack()

    def extend(self, events: Sequence[Event]) -> None:
        """Add events, and pack as many that are no longer among the youngest."""
        self._kept += events
        self._pack()

    def _pack(self) -> None:
        kept, buffer = self._kept, self._buffer
        for place in range(self._packed, len(kept) - self._unpacked):
            self._packed = place + 1
            event: Any = kept[place]
            # What MessagePack would not give back as it was stays an object.
            if event.extra and not all(map(_is_plain, event.extra.values())):
                continue
            try:
                _pack_into(event, buffer)
            except (OverflowError, TypeError, UnicodeEncodeError, ValueError):
                continue
            # Replacing an item is atomic, so a reader finds the event or its bytes, never neither.
            # A copy of the exact size: what encode() returns keeps the room it was written in.
            kept[place] = bytes(buffer)

    def __getitem__(self, position: int) -> Event:
        kept = self._kept[position]
        return _unpack(kept) if type(kept) is bytes else kept  # type: ignore[return-value]


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is list:
        return all(map(_is_plain, value))
    return kind is dict and all(type(k) is str and _is_plain(v) for k, v in value.items())


_SCALARS = frozenset({str, int, float, bool, type(None)})
