"""``narration contracts diff | check``: what a schema's change breaks; whether saved lines keep.

``diff`` compares two versions of one schema, or two folders of them by file name. ``check`` reads
JSON lines, flat events and nested envelopes alike, and needs no test run.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigurationError
from .compatibility import Comparison, compare
from .files import neighbours, read_schema, schemas_at
from .mapping import Contracts
from .project import find, read

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    diff = commands.add_parser(
        "diff",
        help="exit with 1 when NEW refuses events that OLD accepts",
        description="Say what a change of schemas breaks. A change is backward compatible when "
        "NEW accepts every event that OLD accepts; an optional field that only NEW describes is "
        "taken as one that was never sent.",
    )
    diff.add_argument("old", type=Path, metavar="OLD", help="a schema, or a folder of schemas")
    diff.add_argument("new", type=Path, metavar="NEW", help="the same, as it shall be")
    diff.add_argument(
        "--forward",
        action="store_true",
        help="exit with 1 also when NEW accepts what OLD refuses: readers may still keep OLD",
    )
    check = commands.add_parser(
        "check",
        help="exit with 1 when a saved line breaks its contract",
        description="Judge JSON lines, flat events and nested envelopes, by the project's "
        "contracts.",
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines; - is stdin")
    check.add_argument(
        "--project",
        type=Path,
        metavar="FILE",
        help="the pyproject.toml with [tool.narration.contracts]; the nearest by default",
    )


def run(arguments: Namespace) -> int:
    """Do what was asked; return 1 when something is broken."""
    if arguments.action == "diff":
        return _diff(arguments.old, arguments.new, is_forward=arguments.forward)
    contracts = read(arguments.project) if arguments.project else find()
    return _check(arguments.files, contracts)


def _diff(old: Path, new: Path, *, is_forward: bool) -> int:
    before, after = schemas_at(old), schemas_at(new)
    if old.is_file() and new.is_file():
        before, after = {new.stem: old}, {new.stem: new}
    is_broken = False
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            is_broken = True
            _say(f"{name}: not backward compatible\n  ✗ the schema is gone from {new}")
        elif name not in before:
            _say(f"{name}: added")
        else:
            is_broken |= _report(name, _compared(before[name], after[name]), is_forward)
    return 1 if is_broken else 0


def _compared(old: Path, new: Path) -> Comparison:
    return compare(
        {"$id": old.resolve().as_uri(), **read_schema(old)},
        {"$id": new.resolve().as_uri(), **read_schema(new)},
        old_others=neighbours(old.parent),
        new_others=neighbours(new.parent),
    )


def _report(name: str, found: Comparison, is_forward: bool) -> bool:
    is_broken = bool(found.breaks or (is_forward and found.loosened))
    if found.breaks:
        verdict = "not backward compatible"
    elif found.loosened:
        verdict = "backward compatible, not forward: readers that keep the old one may refuse"
    else:
        verdict = "backward and forward compatible"
    _say(f"{name}: {verdict}")
    for mark, changes in (("✗", found.breaks), ("+", found.loosened), ("·", found.notes)):
        for change in changes:
            _say(f"  {mark} {change}")
    return is_broken


def _check(files: list[Path], contracts: Contracts) -> int:
    events = rejected = broken = 0
    for file in files:
        for number, line in _lines(file):
            try:
                fields = json.loads(line, parse_constant=_refuse)
            except (ValueError, RecursionError):
                fields = None
            if not isinstance(fields, dict) or not {"action", "event_name"} & fields.keys():
                rejected += 1
                continue
            events += 1
            problems = contracts.problems(fields)
            broken += bool(problems)
            for problem in problems:
                name = fields.get("event_name") or fields.get("action")
                _say(f"{file}:{number}: {name}: {problem}")
    what = f"{events} events, {broken} outside of their contract"
    _say(f"{what}, {rejected} lines that are no event")
    if not events:
        raise ConfigurationError("nothing was judged: no line is an event")
    return 1 if broken else 0


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
