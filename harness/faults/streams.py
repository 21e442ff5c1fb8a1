"""Faults of what comes back: an answer's stream is cut, garbled, or its frames change places."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from .proxy import Answer, Broken, Call, Forward

__all__ = ["BadBytes", "ChangeFrames", "CutStream", "repeat_frame", "swap_frames"]

_BLANK = b"\n\n"


class CutStream:
    """The connection breaks in the middle of an answer.

    :param after: frames that still arrive.
    """

    def __init__(self, after: int) -> None:
        self.after = after

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        answer.pieces = self._cut(_frames(answer.pieces))
        return answer

    async def _cut(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self.after
        async for frame in frames:
            if left <= 0:
                raise Broken
            left -= 1
            yield frame


class BadBytes:
    """Bytes that are no UTF-8 and no JSON stand where data should, from some frame on.

    :param after: frames that arrive as they were sent.
    """

    def __init__(self, after: int = 0) -> None:
        self.after = after

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        answer.pieces = self._garble(_frames(answer.pieces))
        return answer

    async def _garble(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self.after
        async for frame in frames:
            yield frame if left > 0 else b"event: token\ndata: \xff\xfe{" + _BLANK
            left -= 1


class ChangeFrames:
    """Frames of a stream are repeated, dropped or swapped.

    :param change: gets all frames so far unseen that it may hold back, one by one, and returns
        those to send on; see :func:`repeat_frame`.
    """

    def __init__(self, change: Callable[[list[bytes]], list[bytes] | None]) -> None:
        self.change = change

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        answer.pieces = self._changed(_frames(answer.pieces))
        return answer

    async def _changed(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        held: list[bytes] = []
        async for frame in frames:
            held.append(frame)
            ready = self.change(held)
            if ready is not None:
                held = []
                for each in ready:
                    yield each
        for each in held:
            yield each


def repeat_frame(kind: str) -> Callable[[list[bytes]], list[bytes] | None]:
    """Return a change that sends every frame of that type twice."""
    sign = f"event: {kind}\n".encode()

    def change(held: list[bytes]) -> list[bytes]:
        return [each for frame in held for each in ([frame, frame] if sign in frame else [frame])]

    return change


def swap_frames(kind: str) -> Callable[[list[bytes]], list[bytes] | None]:
    """Return a change that swaps the first two frames of that type that follow each other."""
    sign = f"event: {kind}\n".encode()
    done = False

    def change(held: list[bytes]) -> list[bytes] | None:
        nonlocal done
        if done or sign not in held[0]:
            return held
        if len(held) < 2:
            return None
        done = sign in held[1]
        return [held[1], held[0]] if done else held

    return change


async def _frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(_BLANK)
        for frame in whole:
            yield frame + _BLANK
    if rest:
        yield rest
