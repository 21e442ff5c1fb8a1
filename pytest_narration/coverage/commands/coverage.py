"""``narration coverage --diff BASE``: does a change narrate what no test exercises?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from ..changes import Added, added_since
from ..locations import Location
from ..report.term import place
from . import saved

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = (
        "Compare narration with a commit: fail when points that were declared since are not "
        "covered by the saved run, or when narrate() calls were written that no point declares."
    )
    saved.add_arguments(parser)
    parser.add_argument(
        "--diff",
        required=True,
        metavar="BASE",
        help="commit, branch or tag to compare with: origin/main",
    )


def run(arguments: Namespace) -> int:
    """Print what was added; return 1 when any of it is untested or undeclared."""
    catalog, data = saved.load(arguments)
    added = added_since(arguments.diff, catalog, data)
    sys.stdout.write("".join(f"{line}\n" for line in _lines(added, arguments.diff)))
    return 1 if added.untested or added.sites else 0


def _lines(added: Added, base: str) -> Iterator[str]:
    covered = sum(p.state == "covered" for p in added.points)
    total = sum(p.state != "excluded" for p in added.points)
    yield f"Narration added since {base}: {covered} of {total} points covered"
    for result in added.untested:
        yield f"  {result.state}: {result.point.id} “{result.point.text}” {place(result)}"
        yield f"    {result.why}"
    for result in added.points:
        if result.state == "excluded":
            yield f"  excluded: {result.point.id}: {result.why}"
    for site in added.sites:
        where = Location(site.path, site.line)
        yield f"  in no catalog: narrate({site.action!r}, {site.text!r}) {where}"
    for note in added.notes:
        yield f"  note: {note}"
