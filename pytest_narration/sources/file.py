"""A file, complete or growing -> events; rotation and truncation lose nothing that was there.

A rotated file (moved away, a fresh one at its path) is read to its end before the fresh one; a
truncated one (``copytruncate``) is read from its start again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from ..errors import SourceError
from ..recorder import Ending, Recorder
from .source import Intake, Mapped, Source

__all__ = ["FileSource"]

_CHUNK = 1024 * 1024
_HEAD = 256
"""Bytes at the start of a file by which a rewritten one is told from a grown one."""


class FileSource(Source):
    """Reads a file, and what is appended to it until it is stopped.

    :param follow: whether to wait for more at the end of the file; otherwise it ends there.
    :param from_start: whether to read what the file holds already.
    :param poll: seconds between looks at a file that does not grow.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str,
        recorder: Recorder,
        *,
        follow: bool = True,
        from_start: bool = True,
        poll: float = 0.02,
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name, recorder)
        self.path = Path(path)
        self._follow = follow
        self._poll = poll
        self._into: Intake = self._intake(format, mapping)
        self._position = 0
        self._head = b""
        self._from_start = from_start
        # Opened in start(), so that everything written from then on is read.
        self._descriptor: int | None = None

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines that were read."""
        return self._into.lines(count)

    def start(self) -> Self:
        """Begin to read; a file that is not there is waited for when it is followed.

        :raises SourceError: it is there and cannot be read.
        """
        try:
            self._open(from_start=self._from_start)
        except OSError as error:
            self._close()
            raise SourceError(f"cannot read {self.path}: {error.strerror}") from error
        return super().start()

    def _run(self) -> Ending:
        try:
            return self._read()
        finally:
            self._close()

    def _read(self) -> Ending:
        rotated = False
        while True:
            stopping = self._stopping.is_set() or not self._follow
            if self._descriptor is None:
                self._open(from_start=True)
            grew = self._descriptor is not None and self._read_on()
            if grew:
                continue
            if rotated:
                # The moved file was looked at once more after the fresh one was seen.
                self._into.finish()
                self._close()
                self._open(from_start=True)
                rotated = False
                continue
            rotated = self._is_rotated()
            if rotated:
                continue
            if stopping:
                break
            self._stopping.wait(self._poll)
        if self._descriptor is None and not self._position:
            return self._unreachable(f"{self.path}: no such file")
        self._into.finish()
        return self._complete()

    def _open(self, *, from_start: bool) -> None:
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return
        size = os.fstat(self._descriptor).st_size
        self._position = 0 if from_start else size
        self._head = os.pread(self._descriptor, min(_HEAD, self._position), 0)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read_on(self) -> bool:
        """Read one chunk; return whether there was one."""
        assert self._descriptor is not None
        size = os.fstat(self._descriptor).st_size
        rewritten = os.pread(self._descriptor, len(self._head), 0) != self._head
        if size < self._position or rewritten:
            self._into.finish()
            self._position, self._head = 0, b""
        chunk = os.pread(self._descriptor, _CHUNK, self._position)
        if not chunk:
            return False
        self._position += len(chunk)
        if len(self._head) < _HEAD:
            self._head = os.pread(self._descriptor, min(_HEAD, self._position), 0)
        self._into.feed(chunk)
        return True

    def _is_rotated(self) -> bool:
        """Whether another file is at the path; a missing one may be about to come."""
        if self._descriptor is None:
            return False
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def _seen(self) -> str:
        return f"{self.path} has been read up to byte {self._position}."
