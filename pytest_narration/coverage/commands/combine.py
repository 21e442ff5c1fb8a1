"""``narration combine``: the data of shards -> the data of one run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from ...errors import CoverageDataError
from ...rules.words import plural
from ..data import CoverageData
from .saved import data_file

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = (
        "Merge coverage data of shards. Any order gives the same result, and data that is given "
        "twice counts once."
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help=f"data files, or folders to search for them (default: {data_file()}.*)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=data_file(),
        metavar="FILE",
        help="where the result goes (default: %(default)s)",
    )
    parser.add_argument(
        "--append", action="store_true", help="merge with what the output already holds"
    )


def run(arguments: Namespace) -> int:
    """Merge and write; return 0."""
    whole = data_file()
    files = [f for path in arguments.files for f in (_below(path) if path.is_dir() else [path])]
    if not arguments.files:
        files = _shards(whole.parent.glob(f"{whole.name}.*"))
    if not files:
        where = ", ".join(map(str, arguments.files)) or f"{whole}.*"
        raise CoverageDataError(
            f"nothing to combine: no coverage data in {where}. Give each shard a file of its own "
            "with NARRATION_COVERAGE_FILE=.narration-coverage.SHARD, or name the files"
        )
    if arguments.append and arguments.output.exists():
        files.append(arguments.output)
    data = CoverageData.merged(CoverageData.read(file) for file in files)
    data.save(arguments.output)
    names = ", ".join(map(str, files))
    sys.stdout.write(f"Combined {plural(len(files), 'file')} into {arguments.output}: {names}\n")
    return 0


def _below(folder: Path) -> list[Path]:
    """Return the data files of a folder and of those in it, as artifacts of CI jobs arrive."""
    name = data_file().name
    return _shards((*folder.rglob(name), *folder.rglob(f"{name}.*")))


def _shards(found: Iterable[Path]) -> list[Path]:
    return sorted(f for f in found if f.is_file() and not f.name.endswith(".tmp"))
