"""Command line and ini values -> checked settings; what is wrong becomes a usage error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from .coverage.catalog import Catalog
from .coverage.data import CoverageData
from .coverage.gate import Gate, effective_gates
from .coverage.report import Request, check_destination, parse_request
from .errors import CatalogError, ConfigurationError, MissingExtra

__all__ = [
    "CoverageSettings",
    "coverage_settings",
    "needs_pytest_bdd",
    "project_catalogs",
    "without_coverage",
]

DEFAULT_CATALOG = "narration.toml"
DEFAULT_DATA = ".narration-coverage"

_NO_CATALOG = """\
--narration-coverage: no catalog of narration points was found. Looked for the ini option \
narration_catalog (not set) and for {path} (not there). Make one:
  narration catalog scan PATH       from Python source that calls narrate() or logs
  narration catalog learn CAPTURE   from recorded output of services in any language
or name one: --narration-coverage=path/to/narration.toml"""


@dataclass(frozen=True, slots=True)
class CoverageSettings:
    """What ``--narration-coverage`` and its companions ask for."""

    catalog: Catalog
    gates: Sequence[Gate]
    reports: Sequence[Request]
    data_file: Path
    folder: Path
    """Where relative destinations of reports start: where pytest was called."""

    def new_data(self, root: Path) -> CoverageData:
        """Return empty data that names the catalogs it will be measured against.

        Called before a test can change the current folder, to which paths may be relative.
        """
        return CoverageData(catalogs={_relative(path, root) for path in self.catalog.paths})


def without_coverage(config: pytest.Config) -> None:
    """Refuse options that mean nothing without ``--narration-coverage``.

    :raises pytest.UsageError: one of them is given on the command line.
    """
    for option in ("fail-under", "report"):
        if config.getoption(f"narration_{option.replace('-', '_')}"):
            raise pytest.UsageError(
                f"--narration-{option} needs --narration-coverage: without it nothing is measured"
            )


def needs_pytest_bdd(option: str) -> None:
    """Refuse an option whose modules cannot be loaded without pytest-bdd and its parser.

    :raises pytest.UsageError: it is not installed.
    """
    if find_spec("pytest_bdd") is None:
        raise pytest.UsageError(f"{option}: {MissingExtra('pytest-bdd', 'bdd')}")


def coverage_settings(config: pytest.Config) -> CoverageSettings:
    """Read the options of coverage.

    :raises pytest.UsageError: a value is wrong, or there is no catalog.
    """
    try:
        gates = effective_gates(
            config.getoption("narration_fail_under") or (), config.getini("narration_fail_under")
        )
        reports = _reports(config)
        for report in reports:
            check_destination(report, config.invocation_params.dir)
        return CoverageSettings(
            catalog=Catalog.load(*map(_short, _catalogs(config))),
            gates=gates,
            reports=reports,
            data_file=_data_file(config),
            folder=config.invocation_params.dir,
        )
    except (CatalogError, ConfigurationError) as error:
        raise pytest.UsageError(str(error)) from error


def _catalogs(config: pytest.Config) -> list[Path]:
    given = [value for value in config.getoption("narration_coverage") if value]
    for value in given:
        if not value.endswith(".toml"):
            raise pytest.UsageError(
                f"--narration-coverage: {value!r} is not a catalog, whose name ends in .toml. To "
                f"run the tests of {value!r} put them before the option, or use "
                "--narration-coverage=CATALOG.toml"
            )
    if given:
        return [config.invocation_params.dir / value for value in given]
    found = project_catalogs(config)
    if not found:
        raise pytest.UsageError(_NO_CATALOG.format(path=_base(config) / DEFAULT_CATALOG))
    return found


def project_catalogs(config: pytest.Config) -> list[Path]:
    """Return the catalogs that the ini file names, else ``narration.toml`` if there is one."""
    named = config.getini("narration_catalog")
    if named:
        return [_base(config) / value for value in named]
    default = _base(config) / DEFAULT_CATALOG
    return [default] if default.is_file() else []


def _base(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath


def _reports(config: pytest.Config) -> list[Request]:
    given = config.getoption("narration_report")
    if given:
        return [parse_request(value) for value in given if value]
    named = config.getini("narration_report")
    if named:
        return [parse_request(value, option="narration_report") for value in named]
    return [Request("term-missing", None)]


def _data_file(config: pytest.Config) -> Path:
    name = os.environ.get("NARRATION_COVERAGE_FILE") or config.getini("narration_data_file")
    return config.rootpath / (name or DEFAULT_DATA)


def _short(path: Path) -> Path:
    """Return the path as messages show it best: relative to the current folder if below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _relative(path: Path, root: Path) -> str:
    path = path.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
