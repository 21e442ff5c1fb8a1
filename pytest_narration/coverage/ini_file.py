"""A folder -> the ini options of pytest that hold there: commands find what a run saved.

The commands neither need pytest nor load a project's plugins. They look where pytest does:
https://docs.pytest.org/en/stable/reference/customize.html#finding-the-rootdir
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError

__all__ = ["IniFile"]

_SECTIONS = {
    "pytest.toml": "pytest",
    ".pytest.toml": "pytest",
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "pyproject.toml": "",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
"""``{name: section}`` in pytest's order; the section of ``pyproject.toml`` has two names."""


@dataclass(frozen=True, slots=True)
class IniFile:
    """The project's folder and the options that its ini file sets."""

    folder: Path
    """Where relative paths of options start; ``Path()`` for the current folder."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def around(cls, start: Path) -> IniFile:
        """Return that of the project around a folder; ``start`` itself where there is none.

        :raises ConfigurationError: the file cannot be read.
        """
        folders = (start, *start.resolve().parents)
        for folder in folders:
            for name, section in _SECTIONS.items():
                options = _read(folder / name, section)
                if options is not None:
                    return cls(folder, options)
        for name in ("pyproject.toml", "setup.py"):
            for folder in folders:
                if (folder / name).is_file():
                    return cls(folder)
        return cls(start)

    def values(self, name: str) -> list[str]:
        """Return the lines of an option; none where it is not set."""
        value = self.options.get(name, "")
        lines = value if isinstance(value, list) else str(value).splitlines()
        return [line.strip() for line in map(str, lines) if line.strip()]

    def path(self, name: str) -> Path:
        """Return a path that an option names."""
        return self.folder / name


def _read(file: Path, section: str) -> Mapping[str, Any] | None:
    """Return the options of a file; ``None`` when it is not pytest's."""
    if not file.is_file():
        return None
    try:
        text = file.read_text("utf-8")
        tables: dict[str, Any]
        if file.suffix == ".toml":
            tables = tomllib.loads(text)
        else:
            ini = ConfigParser(interpolation=None, strict=False, allow_no_value=True)
            ini.read_string(text)
            tables = {name: dict(ini[name]) for name in ini.sections()}
    except (OSError, ValueError, IniError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    if not section:
        tool = tables.get("tool", {})
        own = tool.get("pytest", {}) if isinstance(tool, dict) else {}
        if not isinstance(own, dict) or not own:
            return None
        options = own.get("ini_options", own)
        return options if isinstance(options, dict) else None
    if section not in tables:
        return {} if "pytest" in file.name else None
    options = tables[section]
    return options if isinstance(options, dict) else {}
