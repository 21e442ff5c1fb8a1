"""A file of captured output, in any known format -> its events, one by one, in bounded memory.

``narration catalog learn`` reads through here, with the project's own names for fields, so that
it sees what a test run sees.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import CatalogError
from ..event import Event
from ..formats import Decoded, FieldMap, flat, reader
from ..wire import Rejected

__all__ = ["captured", "field_map"]

_CHUNK = 1 << 20
"""Bytes read at once."""


def captured(path: Path, fields: FieldMap, reject: Callable[[], None]) -> Iterator[Event]:
    """Yield the events of a file; ``-`` is standard input.

    :param reject: is called for each line that is no event.
    :raises CatalogError: the file cannot be read.
    """
    feed = reader(mapping=fields, source=str(path))

    def decoded() -> Iterator[Decoded]:
        for chunk in _chunks(path):
            yield from flat(feed.feed(chunk))
        yield from flat(feed.finish())

    for found in decoded():
        if isinstance(found, Event):
            yield found
        elif isinstance(found, Rejected):
            reject()


def field_map(folder: Path) -> FieldMap:
    """Return ``[tool.narration.map]`` of the ``pyproject.toml`` in a folder, if there is any.

    :raises NarrationError: the file is not TOML, or the table is wrong.
    """
    path = folder / "pyproject.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path} cannot be read: {error}") from error
    table = document.get("tool", {}).get("narration", {})
    return FieldMap(table.get("map") if isinstance(table, dict) else None)


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        if str(path) == "-":
            yield from iter(lambda: os.read(sys.stdin.fileno(), _CHUNK), b"")
        else:
            with path.open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK), b"")
    except OSError as error:
        raise CatalogError(f"capture {path} cannot be read: {error.strerror}") from error
