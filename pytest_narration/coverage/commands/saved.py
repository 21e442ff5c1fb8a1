"""What every command on saved coverage reads: the data file and the catalogs it names."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...errors import CatalogError
from ..catalog import Catalog
from ..data import CoverageData

__all__ = ["add_arguments", "load"]

DATA_FILE = Path(".narration-coverage")


def add_arguments(parser: ArgumentParser) -> None:
    """Add ``--data`` and ``--catalog``."""
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA_FILE,
        metavar="FILE",
        help="coverage data of a run (default: %(default)s)",
    )
    parser.add_argument(
        "--catalog",
        type=Path,
        action="append",
        metavar="FILE",
        help="catalog to measure against (default: those of the run); repeatable",
    )


def load(arguments: Namespace) -> tuple[Catalog, CoverageData]:
    """Read the data and the catalogs.

    :raises NarrationError: a file is missing or wrong.
    """
    data = CoverageData.read(arguments.data)
    paths = arguments.catalog
    if not paths:
        # The run wrote them relative to its root, where it put the data file too.
        paths = [_short(arguments.data.parent / name) for name in sorted(data.catalogs)]
    if not paths:
        raise CatalogError(f"{arguments.data} names no catalog; give --catalog FILE")
    return Catalog.load(*paths), data


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
