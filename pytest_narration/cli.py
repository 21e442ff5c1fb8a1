"""The command ``narration``: one word for each thing it does, loaded when it is asked for."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from . import __version__
from .errors import NarrationError

__all__ = ["COMMANDS", "Command", "main"]


class Command(Protocol):
    """What a module of a subcommand has."""

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: Namespace) -> int:
        """Do it, and return the exit code."""


COMMANDS: dict[str, tuple[str, str]] = {
    "report": (".coverage.commands.report", "make coverage reports from saved data"),
    "combine": (".coverage.commands.combine", "merge the coverage data of shards"),
    "coverage": (".coverage.commands.coverage", "check what a change adds: --diff BASE"),
    "catalog": (".coverage.commands.catalog", "make a catalog of points, or check it for drift"),
    "contracts": (".contracts.command", "tell what a schema's change breaks; judge saved lines"),
    "lint": (".lint.command", "find source that narrates past the façade"),
    "steps": (".steps.command", "list the Gherkin phrases, or explain a step"),
    "review": (".review", "accept or reject changed stories, one by one"),
    "diff": (".review_diff", "write a Markdown summary of the stories that a branch changes"),
}
"""``{name: (module, one line of help)}``; the module is imported when its command runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 when a check fails, 2 when the input is wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parser, command = _parser(given)
        parsed = parser.parse_args(given)
        assert command is not None, "argparse lets no unknown command pass"
        return command.run(parsed)
    except NarrationError as error:
        sys.stderr.write(f"narration {_wanted(given)}: {error}\n")
        return 2
    except BrokenPipeError:
        # The reader of our output went away, as `head` does.
        sys.stderr.close()
        return 1


def _wanted(given: Sequence[str]) -> str:
    return next((word for word in given if not word.startswith("-")), "")


def _parser(given: Sequence[str]) -> tuple[ArgumentParser, Command | None]:
    parser = ArgumentParser(
        prog="narration",
        description="Narration of services: coverage, catalogs and reports outside of a test run.",
        epilog="narration COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"pytest-narration {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command: Command | None = None
    for name, (module, about) in COMMANDS.items():
        subparser = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        if name == _wanted(given):
            command = cast(Command, import_module(module, __package__))
            command.configure(subparser)
    return parser, command


if __name__ == "__main__":
    sys.exit(main())
