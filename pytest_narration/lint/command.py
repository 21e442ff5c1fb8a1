"""``narration lint [PATH ...]``: exit with 1 where a file narrates past the façade."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from .files import lint
from .rules import RULES
from .settings import settings_at

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files and folders; [tool.narration.lint] paths by default",
    )
    parser.add_argument(
        "--allowed", action="store_true", help="also list what is allowed, with the reasons"
    )
    parser.add_argument("--rules", action="store_true", help="list the rules and do nothing else")


def run(arguments: Namespace) -> int:
    """Do what was asked; return 1 when something is found."""
    if arguments.rules:
        for rule in RULES.values():
            _say(f"{rule.id}: {rule.title}\n    hint: {rule.hint}")
        return 0
    linted = lint(settings_at(), arguments.paths or None)
    for finding in linted.findings:
        _say(f"{finding}\n    hint: {finding.hint}")
    if arguments.allowed:
        for finding, reason in linted.allowed:
            _say(f"{finding}\n    allowed: {reason}")
    _say(
        f"{len(linted.files)} files, {len(linted.findings)} findings, "
        f"{len(linted.allowed)} allowed with a reason"
    )
    return 1 if linted.findings else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
