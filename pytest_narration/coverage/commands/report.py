"""``narration report``: reports from saved coverage, without running a test."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from ..gate import effective_gates, judge
from ..locations import locate
from ..report import FORMATS, TERMINAL, parse_request, terminal_lines, write
from ..results import analyse
from . import saved

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    width = max(map(len, FORMATS))
    types = "\n".join(f"  {name:<{width}}  {about}" for name, (_, _, about) in FORMATS.items())
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = f"types of reports:\n{types}"
    saved.add_arguments(parser)
    parser.add_argument(
        "--fail-under",
        action="append",
        default=[],
        metavar="MIN",
        help="exit with 1 below MIN, or DIMENSION=MIN, as the ini option narration_fail_under "
        "does; repeatable",
    )
    parser.add_argument(
        "report",
        nargs="*",
        metavar="TYPE[:DEST]",
        default=["term-missing"],
        help="reports to make (default: term-missing)",
    )


def run(arguments: Namespace) -> int:
    """Make the reports; return 1 when a gate is missed or nothing was seen."""
    requests = [parse_request(value, option="report") for value in arguments.report]
    ini = saved.project().values("narration_fail_under")
    gates = effective_gates(arguments.fail_under, ini, option="--fail-under")
    catalog, data = saved.load(arguments)
    results = analyse(catalog, data, locations=locate(catalog))
    judged = judge(gates if results.has_events else (), results.dimensions)
    for request in requests:
        if request.destination is not None:
            path = write(request, results, judged, Path())
            sys.stdout.write(f"Narration coverage {request.format} written to {path}\n")
        elif request.format in TERMINAL:
            missing = request.format == "term-missing"
            for line in terminal_lines(results, judged, missing=missing):
                sys.stdout.write(f"{line.text}\n")
    if all(request.destination is not None for request in requests):
        # The reason of a red exit code is printed whatever the reports.
        lines = terminal_lines(results, judged, missing=False)
        sys.stderr.writelines(f"{line.text}\n" for line in lines if line.style == "bad")
    return 0 if results.has_events and all(verdict.holds for verdict in judged) else 1
