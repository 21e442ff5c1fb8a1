"""``narration catalog scan | learn | check``: make a catalog, refresh it, see whether it drifts."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ...errors import CatalogError
from ...event import Event
from ...rules.words import plural
from .._catalog_file import parse, text_of
from ..call_sites import CallSite, scan_tree
from ..captures import captured, field_map
from ..catalog import Catalog
from ..data import CoverageData
from ..drafts import (
    Draft,
    append,
    call_site_text,
    from_events,
    from_source,
    is_of,
    with_call_sites,
)
from ..drift import drift
from ..locations import Location
from .saved import data_file, project

__all__ = ["configure", "run"]

DEFAULT = "narration.toml"
_SERVICE = (
    "the service that this source is of, as its events name it; needed where no call of "
    'configure("NAME") is near',
    "the service of events that name none",
)


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    scan = commands.add_parser(
        "scan",
        help="add the points of Python source",
        description="Find calls of narrate(), structlog and logging in Python source and add "
        "those that the catalog lacks. Nothing is imported or run; hand-written parts stay.",
    )
    scan.add_argument("source", nargs="+", type=Path, metavar="PATH", help="file or folder")
    learn = commands.add_parser(
        "learn",
        help="add the points of captured output, of services in any language",
        description="Read captured output (JSON lines of any known logger) and add the points "
        "that the catalog lacks.",
    )
    learn.add_argument("capture", nargs="+", type=Path, metavar="CAPTURE", help="file; - is stdin")
    learn.add_argument("--channel", choices=("stdout", "sse"), default="stdout")
    for command in (scan, learn):
        command.add_argument("--service", metavar="NAME", help=_SERVICE[command is learn])
    check = commands.add_parser(
        "check",
        help="report drift: exit with 1 when catalog, source and events do not fit together",
    )
    check.add_argument("source", nargs="*", type=Path, metavar="PATH", help="source to compare")
    check.add_argument("--data", type=Path, metavar="FILE", help=f"default: {data_file()} if any")
    declared = _declared()
    shown = ", ".join(map(str, declared))
    for command in (scan, learn):
        command.add_argument(
            "--catalog",
            type=Path,
            default=declared[0] if len(declared) == 1 else None,
            metavar="FILE",
            help=f"(default: {shown})",
        )
    check.add_argument(
        "--catalog",
        type=Path,
        action="append",
        metavar="FILE",
        help=f"repeatable (default: {shown})",
    )


def _declared() -> list[Path]:
    """Return the catalogs that a run measures against."""
    ini = project()
    return [ini.path(name) for name in ini.values("narration_catalog") or [DEFAULT]]


def run(arguments: Namespace) -> int:
    """Do what was asked; return 1 for drift."""
    missing = [str(p) for p in getattr(arguments, "source", ()) if not p.exists()]
    if missing:
        raise CatalogError(f"no such file or folder: {', '.join(missing)}")
    if arguments.action == "check":
        return _check(arguments)
    if arguments.catalog is None:
        names = ", ".join(map(str, _declared()))
        raise CatalogError(f"the catalogs are {names}; name one with --catalog")
    return _scan(arguments) if arguments.action == "scan" else _learn(arguments)


def _scan(arguments: Namespace) -> int:
    text, catalog = _existing(arguments.catalog)
    base = catalog.root.resolve() if text else arguments.catalog.resolve().parent
    sites = [site for root in arguments.source for site in scan_tree(root, _left_out)]
    filled = _missing_sites(sites, catalog, base)
    drafts = from_source(sites, arguments.source, catalog, base=base, service=arguments.service)
    text = with_call_sites(text, catalog, filled)
    return _write(arguments.catalog, text, catalog, drafts, filled=len(filled))


def _learn(arguments: Namespace) -> int:
    text, catalog = _existing(arguments.catalog)
    fields = field_map(arguments.catalog.resolve().parent)
    unusable: Counter[str] = Counter()

    def events() -> Iterator[tuple[Event, str]]:
        for path in arguments.capture:
            for event in captured(path, fields, lambda: unusable.update(["not an event"])):
                yield event, arguments.channel

    drafts = from_events(
        events(),
        catalog,
        service=arguments.service,
        leave_out=lambda event: unusable.update(["without words"]),
    )
    if unusable:
        counts = ", ".join(f"{count} {why}" for why, count in sorted(unusable.items()))
        _report(f"lines left out: {counts}")
    return _write(arguments.catalog, text, catalog, drafts)


def _check(arguments: Namespace) -> int:
    paths = arguments.catalog or _declared()
    catalog = Catalog.load(*paths)
    path = arguments.data or data_file()
    has_data = arguments.data is not None or path.exists()
    data = CoverageData.read(path) if has_data else CoverageData()
    sites = [site for root in arguments.source for site in scan_tree(root, _left_out)]
    found = drift(catalog, sites, data)
    for site in found.undeclared_sites:
        where = Location(site.path, site.line)
        _say(f"{where}: narrate({site.action!r}, {site.text!r}) is declared by no point")
    for signature in found.undeclared_events:
        who = f"{signature.service}: {signature.actor} {signature.action}"
        _say(f"{path}: {who} “{signature.text}” was seen and is declared by no point")
    for point in found.gone:
        _say(f"{point.where}: point {point.id!r} is in no line of {point.call_site}")
    if not found:
        _say(f"{', '.join(map(str, paths))}: {len(catalog.points)} points, no drift")
    if not arguments.source:
        _report("not compared with source: no PATH was given")
    if not data:
        _report(f"not compared with events: none in {path}; pytest --narration-coverage saves them")
    return 1 if found else 0


def _existing(path: Path) -> tuple[str, Catalog]:
    # A shell that redirects our output to the catalog makes it, empty, before we start.
    if not path.exists() or (path.is_file() and not path.read_bytes().strip()):
        return "", Catalog()
    text = text_of(path)
    return text, parse(text, path)


def _missing_sites(sites: list[CallSite], catalog: Catalog, base: Path) -> dict[str, str]:
    """Return ``{point id: path}`` for points without a call site that the source contains."""
    found = {}
    for point in catalog.points:
        site = next((s for s in sites if point.human and is_of(point, s)), None)
        if site is not None and point.call_site is None:
            found[point.id] = call_site_text(site, base)
    return found


def _write(path: Path, text: str, catalog: Catalog, drafts: list[Draft], *, filled: int = 0) -> int:
    if not drafts and not filled:
        _report(f"{path}: nothing to add, {len(catalog.points)} points stay as they are")
        return 0
    text = append(text, catalog, drafts) if drafts else text
    try:
        total = len(parse(text, path).points)
    except CatalogError as error:
        raise CatalogError(
            f"{path} stays as it was: what is to be added does not fit in. It is tables "
            "[groups.NAME] and [[points]]; does the catalog write `groups` or `points` in another "
            f"way?\n{error}"
        ) from error
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise CatalogError(f"catalog {path} cannot be written: {error.strerror}") from error
    added = f"{plural(len(drafts), 'point')} added"
    added += f", {plural(filled, 'call site')} filled in" if filled else ""
    _report(
        f"{path}: {added}, {plural(total, 'point')} in all; read it over: ids, channels and reach "
        "are guesses"
    )
    return 0


def _left_out(path: Path, why: str) -> None:
    _report(f"{path} is left out: {why}")


def _report(text: str) -> None:
    # Not to stdout: redirected to the catalog, it would overwrite what was just written there.
    sys.stderr.write(f"{text}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
