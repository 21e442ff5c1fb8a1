"""Scenarios that ran -> reports in the formats of Cucumber, for the tools that read them.

Pure functions from :class:`Attempt` records to text; the plugin collects the attempts, also from
workers of xdist, and writes what ``--narration-cucumber`` asks for. A format is a module with
``render(run) -> str``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..errors import ConfigurationError
from .attempt import Argument, Attachment, Attempt, Definition, Hook, Status, Step, Unread
from .run import Run

__all__ = [
    "FORMATS",
    "Argument",
    "Attachment",
    "Attempt",
    "Definition",
    "Hook",
    "Run",
    "Status",
    "Step",
    "Unread",
    "parse",
    "render",
]

FORMATS = {
    "messages": ("messages", "narration-cucumber.ndjson"),
    "json": ("json_file", "narration-cucumber.json"),
}
"""``{name: (module, default file)}``"""


def parse(value: str, *, option: str = "--narration-cucumber") -> tuple[str, Path]:
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
    return name, Path(destination or FORMATS[name][1])


def render(name: str, run: Run) -> str:
    """Return the report of a run as text."""
    text: str = import_module(f".{FORMATS[name][0]}", __name__).render(run)
    return text
