"""The table ``[tool.narration.lint]`` -> what is linted, and what is allowed for which reason.

::

    [tool.narration.lint]
    paths = ["src"]
    exclude = ["src/generated/*"]
    allow = [
      { rule = "no-print", path = "src/app/__main__.py", reason = "usage errors are for people" },
      { rule = "no-otel", path = "src/app/tracing.py", scope = "set_up", reason = "the exporter" },
    ]
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import msgspec

from ..contracts.project import project
from ..errors import ConfigurationError
from .rules import RULES, Finding

__all__ = ["Allowance", "Settings", "settings_at"]

_KEYS: Final = ("paths", "exclude", "allow")
_META: Final = ("unused-allowance", "unreadable")
"""Rules about linting itself, which nobody may break."""


class Allowance(msgspec.Struct, frozen=True):
    """Findings that a project accepts."""

    rule: str
    path: str
    """The file, from the project's folder; ``*`` stands for any text."""
    reason: str
    scope: str = "*"
    """The function or class, dotted, as in ``Job.narrate``; ``*`` stands for any text."""

    def covers(self, finding: Finding) -> bool:
        """Whether it allows a finding whose path starts at the project's folder."""
        return (
            finding.rule == self.rule
            and fnmatchcase(finding.path, self.path)
            and fnmatchcase(finding.scope, self.scope)
        )

    def __str__(self) -> str:
        """Return it as messages show it."""
        where = "" if self.scope == "*" else f" in {self.scope}"
        return f"{self.rule} at {self.path}{where}"


class Settings(msgspec.Struct, frozen=True):
    """What a project decided about linting."""

    folder: Path
    """Where its paths start."""
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any], folder: Path) -> Settings:
        """Read the table.

        :raises ConfigurationError: an unknown key or rule, or an allowance without a reason.
        """
        if not isinstance(table, Mapping):
            raise ConfigurationError("[tool.narration.lint] must be a table")
        if unknown := [key for key in table if key not in _KEYS]:
            raise ConfigurationError(
                f"[tool.narration.lint] has no key {unknown[0]!r}; keys are: {', '.join(_KEYS)}"
            )
        lists = {key: table.get(key, []) for key in _KEYS}
        for key, value in lists.items():
            kind: type = dict if key == "allow" else str
            if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
                what = "tables" if key == "allow" else "texts"
                raise ConfigurationError(f"[tool.narration.lint] {key} must be a list of {what}")
        for path in lists["paths"]:
            if not (folder / path).exists():
                raise ConfigurationError(
                    f"[tool.narration.lint] paths: there is no file or folder {folder / path}"
                )
        allow = tuple(map(_allowance, lists["allow"]))
        return cls(folder, tuple(lists["paths"]), tuple(lists["exclude"]), allow)


def settings_at(start: Path | None = None) -> Settings:
    """Return the settings of the project around a folder, the current one by default.

    :raises ConfigurationError: its table is wrong.
    """
    folder, table = project(start)
    return Settings.of(table.get("lint", {}), folder)


def _allowance(entry: Mapping[str, Any]) -> Allowance:
    fields = Allowance.__struct_fields__
    if unknown := [name for name in entry if name not in fields]:
        raise ConfigurationError(
            f"an entry of [tool.narration.lint] allow has no field {unknown[0]!r}; "
            f"fields are: {', '.join(fields)}"
        )
    for name in fields:
        value = entry.get(name, "*" if name == "scope" else "")
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(
                f"an entry of [tool.narration.lint] allow needs a {name}: {dict(entry)}"
            )
    known = [rule for rule in RULES if rule not in _META]
    if entry["rule"] not in known:
        raise ConfigurationError(
            f"no lint rule is named {entry['rule']!r}; rules are: {', '.join(known)}"
        )
    return Allowance(**entry)
