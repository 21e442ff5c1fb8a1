"""Faults of a call as a whole: it is lost, late, doubled, overtaken, or its headers change."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

from .proxy import Answer, Broken, Call, Fault, Forward

__all__ = [
    "BlackHole",
    "ChangeHeaders",
    "Delay",
    "Drop",
    "Duplicate",
    "Reorder",
    "RewriteBody",
    "only",
]


def only(method: str, path: str, fault: Fault) -> Fault:
    """Return the fault for calls of that method whose path matches the pattern from its start."""
    matches = re.compile(path).match

    async def sometimes(call: Call, forward: Forward) -> Answer:
        if call.method == method and matches(call.target):
            return await fault(call, forward)
        return await forward(call)

    return sometimes


class Drop:
    """The connection breaks before an answer.

    :param times: calls that are lost; the others pass.
    """

    def __init__(self, times: int = 1) -> None:
        self.left = times

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if self.left <= 0:
            return await forward(call)
        self.left -= 1
        raise Broken


class BlackHole:
    """Nothing comes back and nothing says so, as behind a cut cable; what was passing stops."""

    def __init__(self) -> None:
        self._is_open = asyncio.Event()
        self._is_open.set()

    def cut(self) -> None:
        """Let nothing through; call it on the proxies' loop."""
        self._is_open.clear()

    def heal(self) -> None:
        """Let everything through, what was held included; call it on the proxies' loop."""
        self._is_open.set()

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        await self._is_open.wait()
        answer = await forward(call)
        await self._is_open.wait()
        pieces = answer.pieces

        async def held() -> AsyncIterator[bytes]:
            async for piece in pieces:
                await self._is_open.wait()
                yield piece

        answer.pieces = held()
        return answer


class Delay:
    """A slow network.

    :param seconds: before the call, and before each piece of the answer.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        await asyncio.sleep(self.seconds)
        answer = await forward(call)
        pieces = answer.pieces

        async def late() -> AsyncIterator[bytes]:
            async for piece in pieces:
                await asyncio.sleep(self.seconds)
                yield piece

        answer.pieces = late()
        return answer


class Duplicate:
    """A call arrives twice, as after a retry whose first try arrived too; the caller sees one.

    :param times: calls that are doubled.
    """

    def __init__(self, times: int = 1) -> None:
        self.left = times

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if self.left > 0:
            self.left -= 1
            first = await forward(call)
            async for _ in first.pieces:
                pass
        return await forward(call)


class Reorder:
    """A call is overtaken by the next one.

    :param patience: seconds after which it goes on although none overtook it.
    """

    def __init__(self, patience: float = 5.0) -> None:
        self.overtaken = 0
        self._patience = patience
        self._waiting: asyncio.Event | None = None

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            answer = await forward(call)
            waiting.set()
            return answer
        waiting = self._waiting = asyncio.Event()
        try:
            async with asyncio.timeout(self._patience):
                await waiting.wait()
            self.overtaken += 1
        except TimeoutError:
            if self._waiting is waiting:
                self._waiting = None
        return await forward(call)


class ChangeHeaders:
    """A middle box that meddles with headers of calls.

    :param changes: ``{name: value}``; ``None`` removes the header.
    """

    def __init__(self, changes: Mapping[str, str | None]) -> None:
        self.changes = dict(changes)

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        for name, value in self.changes.items():
            call.headers.popall(name, None)
            if value is not None:
                call.headers[name] = value
        return await forward(call)


class RewriteBody:
    """A middle box that changes what is sent.

    :param old: bytes that are replaced wherever they are.
    """

    def __init__(self, old: bytes, new: bytes) -> None:
        self.old = old
        self.new = new

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        call.body = call.body.replace(self.old, self.new)
        return await forward(call)
