"""Results -> reports: one file per format behind one function each.

A format is a module with ``render(results, gates) -> str``; the registry below names it, its
default file and what it is for. Terminal reports are lines with styles and go through
:func:`terminal_lines`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ...errors import ConfigurationError
from ..gate import Judged
from ..results import Results
from .term import Line, render_lines

__all__ = [
    "FORMATS",
    "TERMINAL",
    "Line",
    "Request",
    "check_destination",
    "parse_request",
    "terminal_lines",
    "write",
]

TERMINAL = ("term", "term-missing")
"""Formats that go to the terminal unless a destination is given."""

FORMATS = {
    "term": ("term", "narration-coverage.txt", "a table for the terminal"),
    "term-missing": ("term", "narration-coverage.txt", "the table and what is missing, and where"),
    "json": ("json_file", "narration-coverage.json", "everything, for programs; has a schema"),
    "html": ("html", "narration-coverage.html", "one page with the evidence of each point"),
    "lcov": ("lcov", "narration-coverage.lcov", "call sites as lines, for editors and Codecov"),
    "xml": ("cobertura", "narration-coverage.xml", "Cobertura, for Jenkins, GitLab, Azure"),
    "markdown": ("markdown", "narration-coverage.md", "a comment for a pull request"),
    "badge": ("badge", "narration-coverage.svg", "an SVG badge with the figure"),
}
"""``{name: (module, default file, what it is for)}``"""


@dataclass(frozen=True, slots=True)
class Request:
    """A report that was asked for: ``html:out/index.html``."""

    format: str
    destination: Path | None
    """``None`` means the terminal."""


def parse_request(value: str, *, option: str = "--narration-report") -> Request:
    """Read ``TYPE`` or ``TYPE:DEST``.

    :raises ConfigurationError: unknown type, or an empty destination.
    """
    name, colon, destination = value.partition(":")
    if name not in FORMATS:
        raise ConfigurationError(
            f"{option}: unknown type {name!r} in {value!r}; choose from {', '.join(FORMATS)}"
        )
    if colon and not destination:
        raise ConfigurationError(f"{option}: {value!r} has an empty destination after the colon")
    if destination:
        return Request(name, Path(destination))
    return Request(name, None if name in TERMINAL else Path(FORMATS[name][1]))


def terminal_lines(results: Results, gates: Sequence[Judged], *, missing: bool) -> list[Line]:
    """Return the terminal report as styled lines."""
    return render_lines(results, gates, missing=missing)


def write(request: Request, results: Results, gates: Sequence[Judged], folder: Path) -> Path:
    """Write a report to its file, relative to ``folder``, and return the path.

    :raises ConfigurationError: the file cannot be written.
    """
    assert request.destination is not None, "terminal reports are not written to files"
    path = folder / request.destination
    if request.format in TERMINAL:
        lines = render_lines(results, gates, missing=request.format == "term-missing")
        text = "".join(f"{line.text}\n" for line in lines)
    else:
        module = import_module(f".{FORMATS[request.format][0]}", __name__)
        text = module.render(results, gates)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the report {request.format} cannot be written to {path}: {error.strerror}"
        ) from error
    return path


def check_destination(request: Request, folder: Path) -> None:
    """Notice, before a long run, that a report cannot be written; nothing is made.

    :raises ConfigurationError: the destination is a folder, or below something that is none.
    """
    if request.destination is None:
        return
    path = folder / request.destination
    above = next((p for p in path.parents if p.exists()), path.parent)
    found = "is a folder; name a file" if path.is_dir() else ""
    if not above.is_dir():
        found = f"cannot be written: {above} is not a folder"
    elif not os.access(path if path.exists() else above, os.W_OK):
        found = f"cannot be written: no permission at {path if path.exists() else above}"
    if found:
        raise ConfigurationError(f"the report {request.format}: {path} {found}")
