"""Files and settings -> what is wrong in them, less what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from ..errors import ConfigurationError
from .rules import Finding
from .settings import Settings
from .visitor import findings

__all__ = ["Linted", "lint", "lint_file", "python_files"]

_SKIPPED: Final = frozenset(
    {"node_modules", "__pycache__", "site-packages", "venv", "build", "dist"}
)


class Linted(msgspec.Struct, frozen=True):
    """What was judged."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    allowed: tuple[tuple[Finding, str], ...]
    """What is allowed, each with the reason."""


def lint(settings: Settings, paths: Iterable[Path] | None = None) -> Linted:
    """Judge files and folders.

    :param paths: what to judge; by default what the settings name. Only then is an allowance
        that allows nothing a finding.
    :raises ConfigurationError: nothing is named, or there is no Python in it.
    """
    files = python_files(settings, paths)
    kept: list[Finding] = []
    allowed: list[tuple[Finding, str]] = []
    used = set()
    for file in files:
        for finding in lint_file(file, settings.folder):
            entry = next((entry for entry in settings.allow if entry.covers(finding)), None)
            if entry is None:
                kept.append(finding)
            else:
                used.add(entry)
                allowed.append((finding, entry.reason))
    if paths is None:
        for entry in settings.allow:
            if entry not in used:
                text = f"{entry} is allowed and is not there"
                kept.append(Finding("pyproject.toml", 1, 1, "unused-allowance", text))
    return Linted(files, tuple(sorted(kept)), tuple(sorted(allowed)))


def lint_file(file: Path, folder: Path) -> list[Finding]:
    """Return the findings of one file, whatever is allowed; paths start at ``folder``."""
    file = file.resolve()
    shown = file.relative_to(folder) if file.is_relative_to(folder) else file
    try:
        return findings(file.read_text("utf-8"), shown.as_posix())
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        text = f"it is not Python: {error.msg}"
    except (OSError, ValueError, RecursionError) as error:
        line = column = 1
        text = f"it cannot be read: {error}"
    return [Finding(shown.as_posix(), line, column, "unreadable", text)]


def python_files(settings: Settings, paths: Iterable[Path] | None = None) -> tuple[Path, ...]:
    """Return the files to judge, sorted, each once.

    Hidden folders, virtual environments and what the settings exclude are passed over; a file
    that is named itself is judged unless it is excluded.

    :raises ConfigurationError: nothing is named, or there is no Python in it.
    """
    roots = [settings.folder / p for p in settings.paths] if paths is None else list(paths)
    if not roots:
        raise ConfigurationError(
            "nothing to lint: name files or folders, or set [tool.narration.lint] paths"
        )
    found = {
        file.resolve()
        for root in roots
        for file in _below(root)
        if not _is_excluded(file.resolve(), settings)
    }
    if not found and paths is None:
        named = ", ".join(map(str, roots))
        raise ConfigurationError(f"there is no Python to lint in {named}")
    return tuple(sorted(found))


def _below(root: Path) -> Iterator[Path]:
    if not root.exists():
        raise ConfigurationError(f"there is no file or folder {root}")
    if root.is_file():
        yield root
        return
    for file in root.rglob("*.py"):
        parts = file.relative_to(root).parts
        if not any(part.startswith(".") or part in _SKIPPED for part in parts):
            yield file


def _is_excluded(file: Path, settings: Settings) -> bool:
    if not file.is_relative_to(settings.folder):
        return False
    shown = file.relative_to(settings.folder).as_posix()
    return any(fnmatchcase(shown, pattern) for pattern in settings.exclude)
