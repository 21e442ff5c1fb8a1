"""``--narration-lint``: one item for each linted file, beside the tests that were chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .errors import ConfigurationError
from .lint import Settings, lint, python_files, settings_at

__all__ = ["add_items"]

_NAME = "narration-lint"


def add_items(config: pytest.Config) -> None:
    """Let this run lint what the project's settings name.

    :raises pytest.UsageError: the settings are wrong, or name nothing.
    """
    try:
        settings = settings_at(config.rootpath)
        files = python_files(settings)
    except ConfigurationError as error:
        raise pytest.UsageError(f"--narration-lint: {error}") from None
    config.pluginmanager.register(_Items(settings, files), "narration-lint-items")


class _Items:
    def __init__(self, settings: Settings, files: tuple[Path, ...]) -> None:
        self._settings = settings
        self._files = files

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        items.extend(_item(session, self._settings, file) for file in (*self._files, None))


def _item(session: pytest.Session, settings: Settings, file: Path | None) -> pytest.Item:
    if file is None:
        shown = "allowances"
    else:
        inside = file.is_relative_to(settings.folder)
        shown = (file.relative_to(settings.folder) if inside else file).as_posix()
    made: pytest.Item = _LintItem.from_parent(
        session, name=shown, nodeid=f"{_NAME}::{shown}", settings=settings, file=file
    )
    return made


class _LintItem(pytest.Item):
    """One file; without a file, whether everything that is allowed is there."""

    def __init__(self, *, settings: Settings, file: Path | None, **rest: Any) -> None:
        super().__init__(**rest)
        self._settings = settings
        self._file = file

    def runtest(self) -> None:
        """Lint, and fail with what is found."""
        if self._file is not None:
            found = lint(self._settings, [self._file]).findings
        else:
            found = tuple(f for f in lint(self._settings).findings if f.rule == "unused-allowance")
        if found:
            lines = [f"{finding}\n    hint: {finding.hint}" for finding in found]
            pytest.fail("\n".join(lines), pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what reports show."""
        # Not the node's id: the terminal takes dots of an id's end for those of a class.
        return self._file or self._settings.folder, None, f"lint: {self.name}"
