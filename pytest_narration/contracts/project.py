"""A folder -> the project that it is in: its folder, its table, its contracts.

Services and commands have no pytest to tell them where the project begins: it is the nearest
folder, from the current one upward, whose ``pyproject.toml`` has a table ``[tool.narration]``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .mapping import Contracts

__all__ = ["find", "project", "read"]

FILE = "pyproject.toml"


def find(start: Path | None = None) -> Contracts:
    """Return the contracts of the project around ``start``, the current folder by default.

    :raises ConfigurationError: its table is wrong.
    """
    folder, table = project(start)
    return _of(table, folder)


def project(start: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """Return the project's folder and its table ``[tool.narration]``.

    Where there is none, the folder is ``start`` and the table empty.

    :raises ConfigurationError: a ``pyproject.toml`` cannot be read.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        table = _table(folder / FILE)
        if table is not None:
            return folder, table
    return here, {}


def read(file: Path) -> Contracts:
    """Return the contracts that one ``pyproject.toml`` declares.

    :raises ConfigurationError: it cannot be read, or its table is wrong.
    """
    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}")
    return _of(_table(file) or {}, file.resolve().parent)


def _of(table: dict[str, Any], folder: Path) -> Contracts:
    own = table.get("contracts", {})
    if not isinstance(own, dict):
        raise ConfigurationError("[tool.narration.contracts] must be a table")
    return Contracts.of(own, folder=folder)


def _table(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        table = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("narration")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    return table if isinstance(table, dict) else None
