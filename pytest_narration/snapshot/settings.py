"""The table ``[tool.narration.stories]`` -> how a project writes its stories down.

::

    [tool.narration.stories]
    folder = "snapshots"                  # beside pyproject.toml
    level = "full"                        # structure, text or full
    redact = ["queue_position"]           # fields that are shown by name
    patterns = { order = "order-[0-9]+" } # text that is shown by name
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ..story import MODES, Mode, Redactions
from .document import LEVELS, Level

__all__ = ["StorySettings"]

_TABLE = "[tool.narration.stories]"


class StorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all stories of a project; an assertion may say otherwise."""

    folder: str = "snapshots"
    level: Level = "full"
    mode: Mode | None = None
    """As the story is told, when nothing is said."""
    redactions: Redactions = Redactions()

    @classmethod
    def load(cls, root: Path) -> StorySettings:
        """Read the project's ``pyproject.toml``; without one everything is as usual.

        :raises ConfigurationError: the table is wrong.
        """
        path = root / "pyproject.toml"
        if not path.is_file():
            return cls()
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        return cls.of(table.get("tool", {}).get("narration", {}).get("stories", {}))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> StorySettings:
        """Read the table.

        :raises ConfigurationError: it has unknown names or values.
        """
        known = {"folder", "level", "mode", "redact", "patterns"}
        if unknown := sorted(set(table) - known):
            raise ConfigurationError(
                f"{_TABLE} has no {unknown[0]!r}; it has: {', '.join(sorted(known))}"
            )
        for name, choices in (("level", LEVELS), ("mode", MODES)):
            if name in table and table[name] not in choices:
                raise ConfigurationError(
                    f"{_TABLE} {name} is {table[name]!r}; choose one of {', '.join(choices)}"
                )
        redact, patterns = table.get("redact", []), table.get("patterns", {})
        if not isinstance(redact, list) or not all(isinstance(name, str) for name in redact):
            raise ConfigurationError(f"{_TABLE} redact: expected a list of names of fields")
        if not isinstance(patterns, dict):
            raise ConfigurationError(f"{_TABLE} patterns: expected a table of name = pattern")
        folder = table.get("folder", "snapshots")
        if not isinstance(folder, str) or Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ConfigurationError(f"{_TABLE} folder: expected a path inside of the project")
        return cls(
            folder=folder,
            level=table.get("level", "full"),
            mode=table.get("mode"),
            redactions=Redactions.of(redact) | Redactions.of(patterns),
        )
