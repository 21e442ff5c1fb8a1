"""Python source -> the places that narrate past the façade, by the syntax tree alone.

Nothing is imported or run. :func:`lint` judges files by the rules of :data:`RULES` and by what
``[tool.narration.lint]`` allows, with reasons; the command ``narration lint``, the option
``--narration-lint`` and the pre-commit hook call it. ``docs/lint.md`` has the rules.
"""

from __future__ import annotations

from .files import Linted, lint, python_files
from .rules import RULES, Finding, LintRule
from .settings import Allowance, Settings, settings_at
from .visitor import findings

__all__ = [
    "RULES",
    "Allowance",
    "Finding",
    "LintRule",
    "Linted",
    "Settings",
    "findings",
    "lint",
    "python_files",
    "settings_at",
]
