"""The text of a ``narration.toml`` -> a checked catalog, or every finding with its line."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import CatalogError
from ._catalog_lines import Lines
from .catalog import Catalog, Group, Hop, Point, duplicates

__all__ = ["parse", "read", "text_of"]

_TOML_LINE = re.compile(r"at line (\d+)")


def read(path: Path) -> Catalog:
    """Read one catalog.

    :raises CatalogError: with one line per finding, ``file:line: entry: what is wrong``.
    """
    return parse(text_of(path), path)


def text_of(path: Path) -> str:
    """Return a catalog's text with the line ends it has, without a byte order mark.

    :raises CatalogError: it cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"catalog {path} cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogError(f"{path}:{line}: the catalog is not UTF-8: {error.reason}") from error


def parse(text: str, path: Path) -> Catalog:
    """Read a catalog's text.

    :param path: where the text is from: what messages name and call sites are relative to.
    :raises CatalogError: with one line per finding, ``file:line: entry: what is wrong``.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = found[1] if found else text.count("\n") + 1
        raise CatalogError(f"{path}:{line}: the catalog is not TOML: {error}") from error
    except RecursionError as error:
        raise CatalogError(f"{path}:1: the catalog is not TOML: nested too deeply") from error
    lines = Lines(text)
    problems = _schema_problems(document, path, lines) or _contradictions(document, path, lines)
    if problems:
        raise CatalogError("\n".join(problems))
    catalog = _build(document, path, lines)
    problems = duplicates(catalog.points)
    if problems:
        raise CatalogError("\n".join(problems))
    return catalog


def _schema_problems(document: dict[str, Any], path: Path, lines: Lines) -> list[str]:
    import jsonschema_rs

    schema = json.loads(
        resources.files(__package__).joinpath("schema/narration-catalog.v1.json").read_text("utf-8")
    )
    if "catalog" in document and document["catalog"] != 1:
        return [
            f"{path}:{lines.of(['catalog'])}: version {document['catalog']!r} of the catalog "
            "format is not known; this release reads 1"
        ]
    if "catalog" not in document:
        return [f'{path}:1: not a narration catalog: the line "catalog = 1" is missing']
    # The validator knows what JSON knows.
    dates = [
        f"{path}:{lines.of(where)}: {_entry(document, where)}: {value} is a date; if it is meant "
        "as text, put it in quotes"
        for where, value in _dates(document)
    ]
    if dates:
        return dates
    found = []
    for error in jsonschema_rs.validator_for(schema).iter_errors(document):
        where = list(error.instance_path)
        message = _worded(error, document, schema)
        line = lines.of([*where, *_unknown(error, document, schema)[:1]])
        found.append((line, f"{_entry(document, where)}: {message}"))
    return [f"{path}:{line}: {message}" for line, message in sorted(found)]


def _dates(value: Any) -> Iterator[tuple[list[str | int], datetime.date | datetime.time]]:
    if isinstance(value, datetime.date | datetime.time):
        yield [], value
    inner = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else inner:
        yield from (([key, *where], date) for where, date in _dates(part))


def _worded(error: Any, document: dict[str, Any], schema: dict[str, Any]) -> str:
    """Reword the findings whose standard text helps least."""
    steps = list(error.schema_path)
    if steps and steps[-1] == "anyOf":
        return "needs `human` (the template) or `pattern` (a regular expression)"
    if unknown := _unknown(error, document, schema):
        choices = sorted(_at(schema, steps[:-1]).get("properties", {}))
        close = [m for name in unknown for m in get_close_matches(name, choices, n=1)]
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        return f"unknown key {', '.join(map(repr, unknown))}{hint} (known: {', '.join(choices)})"
    if steps and steps[-1] == "enum":
        choices = _at(schema, steps)
        return f"{_at(document, error.instance_path)!r} is not one of {', '.join(choices)}"
    return str(error.message)


def _unknown(error: Any, document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    steps = list(error.schema_path)
    if not steps or steps[-1] != "additionalProperties":
        return []
    known = _at(schema, steps[:-1]).get("properties", {})
    return [name for name in _at(document, error.instance_path) if name not in known]


def _at(document: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        document = document[step]
    return document


def _entry(document: dict[str, Any], where: list[str | int]) -> str:
    """Name the entry that a JSON path points into: ``points[3] (worker.startup) channels``."""
    if not where:
        return "catalog"
    name = str(where[0])
    rest = where[1:]
    if rest and isinstance(rest[0], int):
        entry = document[name][rest[0]]
        point_id = entry.get("id") if isinstance(entry, dict) else None
        name += f"[{rest[0]}]" + (f" ({point_id})" if isinstance(point_id, str) else "")
        rest = rest[1:]
    return " ".join([name, *map(str, rest)])


def _contradictions(document: dict[str, Any], path: Path, lines: Lines) -> list[str]:
    """What a schema cannot say: unknown groups, expressions that do not compile."""
    groups = document.get("groups", {})
    problems = []
    for index, entry in enumerate(document.get("points", ())):

        def add(key: str, message: str, index: int = index, id: str = entry["id"]) -> None:
            problems.append(f"{path}:{lines.of(['points', index, key])}: point {id!r}: {message}")

        if entry["group"] not in groups:
            known = ", ".join(sorted(groups)) or "none"
            add("group", f"group {entry['group']!r} is not declared; declared: {known}")
        if "human" in entry and "pattern" in entry:
            add("pattern", "has both `human` and `pattern`; one of them decides, so drop one")
        if "pattern" in entry:
            try:
                with warnings.catch_warnings():
                    # What Python only warns of is about to change its meaning: "[[" in a set.
                    warnings.simplefilter("error")
                    re.compile(entry["pattern"])
            except (re.error, OverflowError, RecursionError, FutureWarning) as error:
                add("pattern", f"not a regular expression: {error}")
    return problems


def _build(document: dict[str, Any], path: Path, lines: Lines) -> Catalog:
    system = document.get("system", {})
    groups = {
        name: Group(name, group["service"], group.get("title", name))
        for name, group in document.get("groups", {}).items()
    }
    root = path.resolve().parent / system.get("root", ".")
    points = []
    for index, entry in enumerate(document.get("points", ())):
        known: dict[str, Any] = dict(entry)
        for name in ("channels", "ids"):
            if name in known:
                known[name] = tuple(known[name])
        known.setdefault("reach", "request")
        points.append(
            Point(
                **known,
                service=groups[entry["group"]].service,
                where=f"{path}:{lines.of(['points', index])}",
                root=root,
            )
        )
    return Catalog(
        points=tuple(points),
        groups=groups,
        hops=tuple(Hop(hop["from"], hop["to"]) for hop in document.get("hops", ())),
        capabilities=document.get("capabilities", {}),
        name=system.get("name", ""),
        root=root,
        paths=(path,),
    )
