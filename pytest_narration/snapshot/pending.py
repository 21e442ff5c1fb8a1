"""Stories that differ from what is approved, kept until somebody looks at them.

A failing comparison leaves what it received in ``.narration-pending/``, under the path of the
approved file; ``narration review`` walks through them. The folder ignores itself in git.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["FOLDER", "Pending", "pending", "settle", "store"]

FOLDER = ".narration-pending"

_IGNORE = "# Made by pytest-narration for `narration review`.\n*\n"


class Pending:
    """A received story and the approved one that it differs from."""

    __slots__ = ("approved", "received")

    def __init__(self, received: Path, approved: Path) -> None:
        self.received = received
        self.approved = approved

    def accept(self) -> None:
        """Make the received story the approved one."""
        self.approved.parent.mkdir(parents=True, exist_ok=True)
        self.approved.write_text(self.received.read_text(encoding="utf-8"), encoding="utf-8")
        self.reject()

    def reject(self) -> None:
        """Forget the received story; the approved one stays."""
        self.received.unlink(missing_ok=True)
        _tidy(self.received.parent)


def store(root: Path, approved: Path, text: str) -> Path | None:
    """Keep a received story; ``None`` when the approved file is outside of the project."""
    path = _path(root, approved)
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    ignore = root / FOLDER / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORE, encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    return path


def settle(root: Path, approved: Path) -> None:
    """Forget what was received before: the story is as approved."""
    path = _path(root, approved)
    if path is not None and path.is_file():
        path.unlink(missing_ok=True)
        _tidy(path.parent)


def pending(root: Path) -> list[Pending]:
    """Return what waits to be looked at, by path."""
    folder = root / FOLDER
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")
    return [Pending(path, root / path.relative_to(folder)) for path in sorted(files)]


def _path(root: Path, approved: Path) -> Path | None:
    try:
        return root / FOLDER / approved.resolve().relative_to(root.resolve())
    except ValueError:
        return None


def _tidy(folder: Path) -> None:
    """Remove folders that hold nothing any more."""
    while folder.name != FOLDER and FOLDER in folder.parts:
        # Another process of a spread-out run may be writing there.
        with contextlib.suppress(OSError):
            folder.rmdir()
        if folder.exists():
            return
        folder = folder.parent
