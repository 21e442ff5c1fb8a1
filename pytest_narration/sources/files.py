"""Saved logs of several services -> their events, merged by the times of their lines.

For logs that are judged together after the fact. The lines of one emitter stay as it printed them,
whatever its clock says; between emitters the order is that of their clocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path

from ..errors import SourceError
from ..event import Event
from ..formats import Continuation, flat, reader
from ..formats.reader import Decoded
from ..recorder import Ending, Recorder
from ..wire import Rejected
from .source import Mapped, Source

__all__ = ["FilesSource"]

_CHUNK = 1024 * 1024


class FilesSource(Source):
    """Reads complete files, then records what they tell in the order of its timestamps.

    :param paths: the files; each one's name without its suffix is the source of its events, and
        the service of those that name none.
    :raises SourceError: there is no path at all.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
        recorder: Recorder,
        *,
        name: str = "files",
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name, recorder)
        given = [paths] if isinstance(paths, str | os.PathLike) else paths
        self.paths = [Path(path) for path in given]
        if not self.paths:
            raise SourceError("no file to read: the list of paths is empty")
        self._format = format
        self._mapping = recorder.mapping if mapping is None else mapping

    def _run(self) -> Ending:
        found: list[tuple[str, str, Event | Rejected]] = []
        unread = []
        for path in self.paths:
            try:
                found += self._timed(path)
            except OSError as error:
                unread.append(f"{path}: {error.strerror}")
        found.sort(key=itemgetter(0))  # stable: what has one time stays as it was read
        for _, source, item in found:
            if isinstance(item, Event):
                self.recorder.add_event(item, source=source)
            else:
                self.recorder.add_rejected(item)
        if unread:
            return self._unreachable("; ".join(unread))
        return self._complete(f"{len(self.paths)} files" if len(self.paths) > 1 else "1 file")

    def _timed(self, path: Path) -> Iterator[tuple[str, str, Event | Rejected]]:
        """Yield ``(time, source, what was read)``; times of one emitter never decrease."""
        last = ""
        lanes: dict[tuple[str | None, str | None], str] = {}
        for item in self._decoded(path):
            if isinstance(item, Event):
                lane = (item.service, item.instance)
                last = max(lanes.get(lane, ""), item.timestamp or lanes.get(lane, last))
                lanes[lane] = last
            yield last, path.stem, item

    def _decoded(self, path: Path) -> Iterator[Event | Rejected]:
        lines = reader(
            self._format,
            self._mapping,
            source=path.stem,
            service=path.stem,
            own=self.recorder.formats,
        )
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield from _attached(lines.feed(chunk))
        yield from _attached(lines.finish())

    def _seen(self) -> str:
        return f"{len(self.paths)} files are read before anything is recorded."


def _attached(decoded: Iterable[Decoded]) -> Iterator[Event | Rejected]:
    for item in flat(decoded):
        if isinstance(item, Continuation):
            item.attach()
        else:
            yield item
