"""The syrupy extensions that keep one file for each story, mirrored under ``snapshots/``.

``tests/scenarios/test_stories.py::test_happy`` is approved in
``snapshots/scenarios/test_stories/test_happy.md``. One file a story needs no locks under xdist,
and syrupy's own flags work: ``--snapshot-update``, unused detection, ``--snapshot-warn-unused``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation

from .document import MARK, TEXT_MARK
from .settings import StorySettings

__all__ = ["MarkdownStories", "TextStories", "settings_of"]

_KEY = pytest.StashKey[StorySettings]()


def settings_of(config: pytest.Config) -> StorySettings:
    """Return the project's settings, read once.

    :raises ConfigurationError: they are wrong.
    """
    if _KEY not in config.stash:
        config.stash[_KEY] = StorySettings.load(config.rootpath)
    return config.stash[_KEY]


class MarkdownStories(SingleFileSnapshotExtension):
    """Stories as Markdown."""

    file_extension = "md"
    _write_mode = WriteMode.TEXT
    _beginning = MARK

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """Return the folder of one test file's stories."""
        path = Path(test_location.filepath)
        root, folder = _root_and_folder(test_location)
        parts = path.parent.relative_to(root).parts if path.is_relative_to(root) else ()
        if parts and parts[0] in ("tests", "test"):
            parts = parts[1:]
        return str(root.joinpath(folder, *parts, path.stem))

    def is_snapshot_location(self, *, location: str) -> bool:
        """Return whether a file is a story: beside them may lie what other tools and people wrote.

        What this says no to is never unused, and never deleted.
        """
        return super().is_snapshot_location(location=location) and self._is_story(Path(location))

    def _is_story(self, path: Path) -> bool:
        with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(self._beginning)
        return False

    def discover_snapshots(
        self, *, test_location: PyTestLocation, ignore_extensions: list[str] | None = None
    ) -> SnapshotCollections:
        """Find what may be unused: not the stories of test files that this run left out."""
        found = super().discover_snapshots(
            test_location=test_location, ignore_extensions=ignore_extensions
        )
        whole = _whole_modules(test_location)
        if whole is None:
            return found
        kept = SnapshotCollections()
        beside = Path(test_location.filepath).parent
        for collection in found:
            module = beside / f"{Path(collection.location).parent.name}.py"
            if module in whole or not module.is_file():
                kept.add(collection)
        return kept


class TextStories(MarkdownStories):
    """Stories as plain text."""

    file_extension = "txt"
    _beginning = TEXT_MARK


def _root_and_folder(test_location: PyTestLocation) -> tuple[Path, str]:
    config: pytest.Config | None = getattr(test_location.item, "config", None)
    if config is not None:
        return config.rootpath, settings_of(config).folder
    # An item that syrupy rebuilt from another process's report knows its path only.
    path = Path(test_location.filepath)
    marks = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".git")
    root = next((p for p in path.parents if any((p / m).exists() for m in marks)), path.parent)
    return root, StorySettings.load(root).folder


def _whole_modules(test_location: PyTestLocation) -> set[Path] | None:
    """Return the test files that this run collected as a whole; ``None`` when it cannot be known.

    syrupy looks for the tests of a selection such as ``test_a.py::test_one`` beside the snapshots,
    which are elsewhere here: it would take the stories of the file's other tests for unused.
    """
    session: Any = getattr(test_location.item, "session", None)
    items = getattr(session, "items", None)
    if items is None:
        return None
    config: pytest.Config = test_location.item.config
    folder = config.invocation_params.dir
    named = [str(argument) for argument in config.getoption("file_or_dir") or ()]
    parted = {
        (folder / argument.partition("::")[0]).resolve() for argument in named if "::" in argument
    }
    return {item.path for item in items if item.path.resolve() not in parted}
