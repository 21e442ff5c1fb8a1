"""``narration combine``: the data of shards -> the data of one run."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...errors import CoverageDataError
from ..data import CoverageData
from .saved import DATA_FILE

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
        help=f"data files, or folders of {DATA_FILE}.* (default: those of the current folder)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=DATA_FILE,
        metavar="FILE",
        help="where the result goes (default: %(default)s)",
    )
    parser.add_argument(
        "--append", action="store_true", help="merge with what the output already holds"
    )


def run(arguments: Namespace) -> int:
    """Merge and write; return 0."""
    files = [file for path in arguments.files or [Path()] for file in _files(path)]
    if not files:
        raise CoverageDataError(
            f"nothing to combine: no {DATA_FILE}.* here. Give each shard a file of its own with "
            "NARRATION_COVERAGE_FILE=.narration-coverage.SHARD, or name the files"
        )
    if arguments.append and arguments.output.exists():
        files.append(arguments.output)
    data = CoverageData.merged(CoverageData.read(file) for file in files)
    data.save(arguments.output)
    sys.stdout.write(f"Combined {len(files)} files into {arguments.output}\n")
    return 0


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(f for f in path.glob(f"{DATA_FILE}.*") if not f.name.endswith(".tmp"))
