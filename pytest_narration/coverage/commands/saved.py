"""What every command on saved coverage reads: the data file and the catalogs it names."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...errors import CatalogError
from ..catalog import Catalog
from ..data import CoverageData
from ..ini_file import IniFile

__all__ = ["add_arguments", "data_file", "load", "project"]


def project() -> IniFile:
    """Return the ini file of the project around the current folder."""
    return IniFile.around(Path())


def data_file() -> Path:
    """Return where a run saves its data."""
    ini = project()
    named = ini.values("narration_data_file")[:1] or [".narration-coverage"]
    return ini.path(os.environ.get("NARRATION_COVERAGE_FILE") or named[0])


def add_arguments(parser: ArgumentParser) -> None:
    """Add ``--data`` and ``--catalog``."""
    parser.add_argument(
        "--data",
        type=Path,
        default=data_file(),
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
    paths = arguments.catalog or [_found(n, arguments.data) for n in sorted(data.catalogs)]
    if not paths:
        raise CatalogError(f"{arguments.data} names no catalog; give --catalog FILE")
    return Catalog.load(*paths), data


def _found(name: str, data: Path) -> Path:
    """Return the catalog of that name, which the run wrote relative to its root.

    The root is the folder of the data file, one above it, or the current folder, to which shards
    were brought from elsewhere.
    """
    folders = (data.parent, Path(), *data.resolve().parents)
    return _short(next((f / name for f in folders if (f / name).is_file()), data.parent / name))


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
