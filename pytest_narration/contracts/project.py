"""A folder -> the contracts of the project that it is in.

Services and commands have no pytest to tell them where the project begins: it is the nearest
folder, from the current one upward, whose ``pyproject.toml`` has a table ``[tool.narration]``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .mapping import Contracts

__all__ = ["find", "read"]

FILE = "pyproject.toml"


def find(start: Path | None = None) -> Contracts:
    """Return the contracts of the project around ``start``, the current folder by default.

    :raises ConfigurationError: its table is wrong.
    """
    for folder in ((here := (start or Path.cwd()).resolve()), *here.parents):
        table = _table(folder / FILE)
        if table is not None:
            return _of(table, folder)
    return Contracts()


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
