"""Source or captured events -> draft points, and their text for ``narration.toml``.

``narration catalog scan`` and ``learn`` add what a catalog lacks at its end; what a person wrote
is never changed, except that a missing ``call_site`` is filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from ..errors import CatalogError
from ..event import Event
from .call_sites import CallSite, scan_tree, services_in
from .catalog import ANYONE, Catalog, Signature
from .collector import signature_of

__all__ = ["Draft", "append", "from_events", "from_source", "new_text"]

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
    root: Path, catalog: Catalog, *, base: Path, service: str | None = None
) -> list[Draft]:
    """Return a draft for each call site below ``root`` that no point declares.

    :param base: folder that call sites are written relative to.
    :param service: of all sites; found by ``configure("service")`` near them otherwise.
    :raises CatalogError: a site's service is unknown.
    """
    services = services_in(root)
    drafts: dict[Signature, Draft] = {}
    for site in scan_tree(root):
        if is_declared(site, catalog):
            continue
        owner = service or _nearest(site.path, services)
        if owner is None:
            raise CatalogError(
                f'{site.path}:{site.line}: of which service is this? No configure("service") '
                "call is near it; give --service NAME"
            )
        actor = site.actor or (ANYONE if site.kind == "log" else owner)
        signature = Signature(owner, actor, site.action, site.text)
        where = site.path.resolve()
        path = where.relative_to(base) if where.is_relative_to(base) else where
        draft = Draft(signature, level=site.level, call_site=path.as_posix())
        drafts.setdefault(signature, draft)
    return list(drafts.values())


def is_declared(site: CallSite, catalog: Catalog) -> bool:
    """Whether a point has the site's action and words, whichever its service and actor."""
    return any(p.action == site.action and p.text == site.text for p in catalog.points)


def from_events(
    events: Iterable[tuple[Event, str]], catalog: Catalog, *, service: str | None = None
) -> list[Draft]:
    """Return a draft for each signature among ``(event, channel)`` that no point declares.

    Ids that every event of a signature carried are required of it.
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
    groups = {group.service: name for name, group in catalog.groups.items()}
    taken = {point.id for point in catalog.points}
    parts = [text.rstrip("\n")] if text.strip() else ["catalog = 1"]
    for service in dict.fromkeys(draft.signature.service for draft in drafts):
        if service not in groups:
            groups[service] = _slug(service)
            parts.append(f"[groups.{groups[service]}]\nservice = {_quoted(service)}")
    parts += [_entry(draft, groups[draft.signature.service], taken) for draft in drafts]
    return "\n\n".join(parts) + "\n"


def new_text(text: str, catalog: Catalog, sites: Mapping[str, str]) -> str:
    """Return a catalog's text with missing call sites, ``{point id: path}``, filled in."""
    lines = text.splitlines()
    entries = {point.id: int(point.where.rpartition(":")[2]) for point in catalog.points}
    # From the end, so that the line numbers above stay right.
    for point_id in sorted(sites, key=lambda point_id: -entries[point_id]):
        header = entries[point_id] - 1
        if re.match(r"\s*\[\[", lines[header]):
            last = header
            while last + 1 < len(lines) and lines[last + 1].strip():
                last += 1
            lines.insert(last + 1, f"call_site = {_quoted(sites[point_id])}")
    return "\n".join(lines) + "\n"


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
    wanted = f"{group}.{_slug(action)}"
    if wanted in taken:
        wanted = f"{wanted}.{_slug(text)[:40].strip('-')}"
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
