"""``narration catalog scan | learn | check``: make a catalog, refresh it, see whether it drifts."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from ...errors import CatalogError
from ...event import Event
from ..call_sites import scan_tree
from ..catalog import Catalog
from ..data import CoverageData
from ..drafts import Draft, append, from_events, from_source, new_text
from ..drift import drift, place
from .saved import DATA_FILE

__all__ = ["configure", "run"]

DEFAULT = Path("narration.toml")
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
    check.add_argument("--data", type=Path, metavar="FILE", help=f"default: {DATA_FILE} if any")
    for command in (scan, learn, check):
        command.add_argument(
            "--catalog",
            type=Path,
            default=DEFAULT,
            metavar="FILE",
            help="(default: %(default)s)",
        )


def run(arguments: Namespace) -> int:
    """Do what was asked; return 1 for drift."""
    missing = [str(p) for p in getattr(arguments, "source", ()) if not p.exists()]
    if missing:
        raise CatalogError(f"no such file or folder: {', '.join(missing)}")
    if arguments.action == "scan":
        return _scan(arguments)
    return _learn(arguments) if arguments.action == "learn" else _check(arguments)


def _scan(arguments: Namespace) -> int:
    text, catalog = _existing(arguments.catalog)
    base = arguments.catalog.resolve().parent
    if catalog.points:
        base = catalog.points[0].root.resolve()
    sites = _missing_sites(arguments.source, catalog, base)
    text = new_text(text, catalog, sites) if sites else text
    drafts: list[Draft] = []
    for root in arguments.source:
        drafts += from_source(root, catalog, base=base, service=arguments.service)
    return _write(arguments.catalog, text, catalog, drafts, filled=len(sites))


def _learn(arguments: Namespace) -> int:
    text, catalog = _existing(arguments.catalog)
    events = ((event, arguments.channel) for path in arguments.capture for event in _events(path))
    drafts = from_events(events, catalog, service=arguments.service)
    return _write(arguments.catalog, text, catalog, drafts)


def _check(arguments: Namespace) -> int:
    catalog = Catalog.load(arguments.catalog)
    path = arguments.data or DATA_FILE
    data = CoverageData.read(path) if arguments.data or path.exists() else CoverageData()
    found = drift(catalog, arguments.source, data)
    for site in found.undeclared_sites:
        _say(f"{place(site)}: narrate({site.action!r}, {site.text!r}) is declared by no point")
    for signature in found.undeclared_events:
        who = f"{signature.service}: {signature.actor} {signature.action}"
        _say(f"{path}: {who} “{signature.text}” was seen and is declared by no point")
    for point in found.gone:
        _say(f"{point.where}: point {point.id!r} is in no line of {point.call_site}")
    if not found:
        _say(f"{arguments.catalog}: {len(catalog.points)} points, no drift")
    return 1 if found else 0


def _existing(path: Path) -> tuple[str, Catalog]:
    # A shell that redirects our output to the catalog makes it, empty, before we start.
    if not path.exists() or (path.is_file() and not path.read_bytes().strip()):
        return "", Catalog()
    return path.read_text(encoding="utf-8"), Catalog.load(path)


def _missing_sites(source: list[Path], catalog: Catalog, base: Path) -> dict[str, str]:
    """Return ``{point id: path}`` for points without a call site that the source contains."""
    sites = {(s.action, s.text): s.path.resolve() for root in source for s in scan_tree(root)}
    found = {}
    for point in catalog.points:
        path = sites.get((point.action, point.text))
        if path is not None and point.call_site is None:
            shown = path.relative_to(base) if path.is_relative_to(base) else path
            found[point.id] = shown.as_posix()
    return found


def _events(path: Path) -> Iterator[Event]:
    from ...formats import Batch, reader

    feed = reader(source=str(path))
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise CatalogError(f"capture {path} cannot be read: {error.strerror}") from error
    for decoded in (*feed.feed(content), *feed.finish()):
        if isinstance(decoded, Event):
            yield decoded
        elif isinstance(decoded, Batch):
            yield from decoded.events


def _write(path: Path, text: str, catalog: Catalog, drafts: list[Draft], *, filled: int = 0) -> int:
    if not drafts and not filled:
        _report(f"{path}: nothing to add, {len(catalog.points)} points stay as they are")
        return 0
    path.write_text(append(text, catalog, drafts) if drafts else text, encoding="utf-8")
    # What was written must be readable: a mistake of ours is found here and not in the next run.
    total = len(Catalog.load(path).points)
    added = f"{len(drafts)} points added" + (f", {filled} call sites filled in" if filled else "")
    _report(
        f"{path}: {added}, {total} points in all; read it over: ids, channels and reach are guesses"
    )
    return 0


def _report(text: str) -> None:
    # Not to stdout: redirected to the catalog, it would overwrite what was just written there.
    sys.stderr.write(f"{text}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
