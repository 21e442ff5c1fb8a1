"""Source or captured events -> draft points, and their text for ``narration.toml``.

``narration catalog scan`` and ``learn`` add what a catalog lacks at its end; what a person wrote
is never changed, except that a missing ``call_site`` is filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from ..errors import CatalogError
from ..event import Event
from .call_sites import CallSite, services_in
from .call_texts import is_met
from .catalog import ANYONE, Catalog, Point, Signature
from .collector import signature_of
from .locations import call_site_of

__all__ = [
    "Draft",
    "append",
    "call_site_text",
    "from_events",
    "from_source",
    "is_declared",
    "is_of",
    "with_call_sites",
]

_FAILURES = ("warn", "error", "fatal")


@dataclass(frozen=True, slots=True)
class Draft:
    """A point that no catalog declares yet."""

    signature: Signature
    level: str = "info"
    channels: tuple[str, ...] = ("stdout",)
    ids: tuple[str, ...] = ()
    call_site: str | None = None


def from_source(
    sites: Iterable[CallSite],
    roots: Iterable[Path],
    catalog: Catalog,
    *,
    base: Path,
    service: str | None = None,
) -> list[Draft]:
    """Return a draft for each call site that no point declares.

    :param roots: where the sites are from, and the calls that name their services.
    :param base: folder that call sites are written relative to.
    :param service: of all sites; found by ``configure("service")`` near them otherwise.
    :raises CatalogError: a site's service is unknown.
    """
    services = {} if service else {k: v for root in roots for k, v in services_in(root).items()}
    drafts: dict[Signature, Draft] = {}
    for site in sites:
        if is_declared(site, catalog):
            continue
        owner = service or _nearest(site.path, services)
        if owner is None:
            raise CatalogError(
                f'{site.path}:{site.line}: of which service is this? No configure("service") '
                "call is near it; give --service NAME"
            )
        # Without one in the call it is the context's, or what a logger is named.
        signature = Signature(owner, site.actor or ANYONE, site.action, site.text)
        draft = Draft(signature, level=site.level, call_site=call_site_text(site, base))
        drafts.setdefault(signature, draft)
    return list(drafts.values())


def call_site_text(site: CallSite, base: Path) -> str:
    """Return a site's path as a catalog writes it, relative to ``base`` when it is below it."""
    path = site.path.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def is_declared(site: CallSite, catalog: Catalog) -> bool:
    """Whether a point has the site's action and words, whichever its service and actor.

    A pattern that stands for the site's words cannot be compared with them; one that a person
    wrote for the site's action and file is taken to be it.
    """
    return any(is_of(point, site) for point in catalog.points)


def is_of(point: Point, site: CallSite) -> bool:
    """Whether a point stands for the call site, as far as source shows."""
    if ANYONE not in (point.action, site.action) and point.action != site.action:
        return False
    if point.pattern is None:
        return point.human == site.text
    if is_met(point.pattern, site.text):
        return True
    is_same_file = point.call_site and site.path.resolve() == call_site_of(point)[0]
    return bool(is_same_file) and point.action == site.action != ANYONE


def from_events(
    events: Iterable[tuple[Event, str]],
    catalog: Catalog,
    *,
    service: str | None = None,
    leave_out: Callable[[Event], None] = lambda event: None,
) -> list[Draft]:
    """Return a draft for each signature among ``(event, channel)`` that no point declares.

    Ids that every event of a signature carried are required of it.

    :param leave_out: is told of each event that says nothing a point could be recognised by.
    """
    channels: dict[Signature, set[str]] = {}
    ids: dict[Signature, set[str]] = {}
    levels: dict[Signature, str] = {}
    for event, channel in events:
        if service and not event.service:
            event = replace(event, service=service)
        signature = signature_of(event, catalog)
        if not signature.service:
            raise CatalogError(f"an event names no service: {event.human!r}; give --service NAME")
        if catalog.of_signature(signature):
            continue
        if not (signature.action and signature.text):
            leave_out(event)
            continue
        signature = signature._replace(text=_numbered(signature.text))
        channels.setdefault(signature, set()).add(channel)
        carried = {name for name in ("correlation_id", "job_id") if getattr(event, name)}
        ids[signature] = ids.get(signature, carried) & carried
        levels.setdefault(signature, event.level)
    return [
        Draft(
            signature,
            level=levels[signature],
            channels=tuple(c for c in ("stdout", "sse") if c in channels[signature]),
            ids=tuple(sorted(ids[signature])),
        )
        for signature in sorted(channels)
    ]


def _numbered(text: str) -> str:
    """Name the placeholders that stand for volatile text: ``{…}`` becomes ``{value}``."""
    return text.replace("{…}", "{value}")


def append(text: str, catalog: Catalog, drafts: Sequence[Draft]) -> str:
    """Return a catalog's text with the drafts added at its end."""
    groups = {group.service: name for name, group in reversed(list(catalog.groups.items()))}
    names = set(catalog.groups)
    taken = {point.id for point in catalog.points}
    parts = [text.rstrip()] if text.strip() else ["catalog = 1"]
    for service in dict.fromkeys(draft.signature.service for draft in drafts):
        if service not in groups:
            groups[service] = _free(_slug(service), names)
            parts.append(f"[groups.{groups[service]}]\nservice = {_quoted(service)}")
    parts += [_entry(draft, groups[draft.signature.service], taken) for draft in drafts]
    whole = "\n\n".join(parts) + "\n"
    return whole.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else whole


def with_call_sites(text: str, catalog: Catalog, sites: Mapping[str, str]) -> str:
    """Return a catalog's text with missing call sites, ``{point id: path}``, filled in.

    Each comes first in its ``[[points]]`` table: wherever else the table ends, nothing that may
    follow there, a value over many lines or a comment, is torn apart.
    """
    lines = text.split("\n")
    entries = {point.id: int(point.where.rpartition(":")[2]) for point in catalog.points}
    # From the end, so that the line numbers above stay right.
    for point_id in sorted(sites, key=lambda point_id: -entries[point_id]):
        header = entries[point_id]
        if re.match(r"\s*\[\[", lines[header - 1]):
            end = "\r" if lines[header - 1].endswith("\r") else ""
            lines.insert(header, f"call_site = {_quoted(sites[point_id])}{end}")
    return "\n".join(lines)


def _entry(draft: Draft, group: str, taken: set[str]) -> str:
    _, actor, action, text = draft.signature
    lines = [
        "[[points]]",
        f"id = {_quoted(_new_id(group, action, text, taken))}",
        f"group = {_quoted(group)}",
        f"actor = {_quoted(actor)}",
        f"action = {_quoted(action)}",
        f"human = {_quoted(text)}",
        f"channels = {json.dumps(list(draft.channels))}",
        f"level = {_quoted(draft.level)}",
        f"reach = {_quoted('error' if draft.level in _FAILURES else 'request')}",
    ]
    if draft.ids:
        lines.append(f"ids = {json.dumps(list(draft.ids))}")
    if draft.call_site:
        lines.append(f"call_site = {_quoted(draft.call_site)}")
    return "\n".join(lines)


def _new_id(group: str, action: str, text: str, taken: set[str]) -> str:
    words = _slug(text)[:40].strip("-")
    wanted = f"{group}.{words if action == ANYONE else _slug(action)}"
    if wanted in taken and action != ANYONE:
        wanted = f"{wanted}.{words}"
    return _free(wanted, taken)


def _free(wanted: str, taken: set[str]) -> str:
    """Return the name, numbered when it is taken already, and take it."""
    found, number = wanted, 2
    while found in taken:
        found, number = f"{wanted}-{number}", number + 1
    taken.add(found)
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _quoted(text: str) -> str:
    """Return a TOML basic string; JSON escapes are a part of TOML's, except for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _nearest(path: Path, services: Mapping[Path, str]) -> str | None:
    """Return the service whose ``configure`` call shares the longest path with the file."""
    best: dict[int, set[str]] = {}
    for file, name in services.items():
        shared = 0
        for mine, theirs in zip(path.parts, file.parts, strict=False):
            if mine != theirs:
                break
            shared += 1
        best.setdefault(shared, set()).add(name)
    names = best[max(best)] if best else set()
    return next(iter(names)) if len(names) == 1 else None
