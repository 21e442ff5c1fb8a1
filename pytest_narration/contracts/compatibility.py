"""Two versions of a schema -> whether the later one accepts what the earlier one did, and why not.

Whether one schema accepts all that another does is decided by ``jsonschema-rs``, which reasons
about whole schemas; what it cannot decide counts as a break. Here the schemas are walked side by
side so that each break is reported at its place.

A field that only the later version names is taken as one that was never sent: to describe a
further optional field is no break, and a note says what that rests on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from .plain import plain

__all__ = ["Change", "Comparison", "compare"]

_FIELDS: Final = ("properties", "patternProperties", "additionalProperties")
_LISTS: Final = ("allOf", "anyOf", "prefixItems")
_PARTS: Final = ("then", "else", "items", "additionalProperties")
_PLACES: Final = frozenset(
    {
        *_FIELDS, *_LISTS, *_PARTS, "if", "required", "propertyNames",
        "contains", "minContains", "maxContains",
    }
)  # fmt: skip
"""Keywords that are compared with those they work together with."""
_SHOWN: Final = 60
"""Longest piece of a keyword's value that a message quotes."""


class Change(msgspec.Struct, frozen=True, order=True):
    """One place where the later version judges differently."""

    path: str
    """Where in the event, dotted; ``*`` stands for each item of a list."""
    rule: str
    """The keyword that makes the difference."""
    message: str

    def __str__(self) -> str:
        """Return the place and the message as one line."""
        return f"{self.path or 'the event'}: {self.message} [{self.rule}]"


class Comparison(msgspec.Struct, frozen=True):
    """What a change of a schema means for events and their readers."""

    breaks: tuple[Change, ...] = ()
    """What the later version refuses and the earlier one accepted."""
    loosened: tuple[Change, ...] = ()
    """What the later version accepts and the earlier one refused: readers that still keep the
    earlier one may meet it."""
    notes: tuple[Change, ...] = ()
    """What the verdict rests on."""

    @property
    def is_backward_compatible(self) -> bool:
        """Whether every event of the earlier version is one of the later version."""
        return not self.breaks

    @property
    def is_forward_compatible(self) -> bool:
        """Whether every event of the later version is one of the earlier version."""
        return not self.loosened


def compare(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    old_others: Mapping[str, Mapping[str, Any]] | None = None,
    new_others: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Compare two versions of a schema.

    :param old_others: ``{uri: document}`` that references of the earlier version may lead to.
    :param new_others: the same for the later version.
    :raises ConfigurationError: a reference leads nowhere.
    """
    before, after = plain(old, others=old_others), plain(new, others=new_others)
    text = "is described, and was not; events that carried it have to fit"
    added = {Change(path, "properties", text) for path in _undeclared(before, after, "")}
    text = "is described no more; readers of the old one may meet anything in it"
    gone = {Change(path, "properties", text) for path in _undeclared(after, before, "")}
    notes = tuple(sorted(added | gone))
    breaks = set(_walk(_closed(before, after), after, "", is_forward=False))
    loosened = set(_walk(_closed(after, before), before, "", is_forward=True))
    return Comparison(tuple(sorted(breaks)), tuple(sorted(loosened)), notes)


def _walk(old: Any, new: Any, path: str, is_forward: bool) -> Iterator[Change]:
    """Yield where ``new`` may refuse what ``old`` accepts; nothing when it certainly does not.

    A schema is the conjunction of its keywords: ``new`` accepts all of ``old`` when ``old``
    implies each of them. That is looked for place by place first, to report places; the library
    sees more, and has the last word.
    """
    if _same(old, new):
        return
    if not isinstance(old, dict) or not isinstance(new, dict):
        if not _covers(new, old):
            yield _changed(path, "schema", old, new, is_forward)
        return
    found = list(_differences(old, new, path, is_forward))
    if found and not _covers(new, old):
        yield from found


def _differences(
    old: dict[str, Any], new: dict[str, Any], path: str, is_forward: bool
) -> Iterator[Change]:
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if not _covers({"required": [name]}, old):
            text = "is required no more" if is_forward else "is required, and was not"
            yield Change(_join(path, name), "required", text)
    if any("patternProperties" in schema for schema in (old, new)):
        # Which name falls under which pattern is the library's to reason about.
        yield from _group(old, new, _FIELDS, path, is_forward)
    else:
        yield from _fields(old, new, path, is_forward)
    if len(old.get("prefixItems", ())) == len(new.get("prefixItems", ())):
        yield from _pairs(old, new, "prefixItems", _join(path, "*"), is_forward)
        yield from _part(old, new, "items", _join(path, "*"), is_forward)
    else:
        yield from _group(old, new, ("prefixItems", "items"), path, is_forward)
    yield from _pairs(old, new, "allOf", path, is_forward)
    yield from _pairs(old, new, "anyOf", path, is_forward)
    yield from _part(old, new, "propertyNames", path, is_forward)
    yield from _group(old, new, ("contains", "minContains", "maxContains"), path, is_forward)
    if _same(old.get("if"), new.get("if")):
        yield from _part(old, new, "then", path, is_forward)
        yield from _part(old, new, "else", path, is_forward)
    else:
        yield from _group(old, new, ("if", "then", "else"), path, is_forward)
    for key in sorted(new.keys() - _PLACES):
        if key.startswith("unevaluated"):
            # What it refuses depends on all its neighbours.
            yield _changed(path, key, old.get(key), new[key], is_forward)
        elif not _same(old.get(key), new[key]) and not _covers({key: new[key]}, old):
            yield _changed(path, key, old.get(key), new[key], is_forward)


def _fields(
    old: dict[str, Any], new: dict[str, Any], path: str, is_forward: bool
) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    rest_before = old.get("additionalProperties", True)
    rest_after = new.get("additionalProperties", True)
    for name in sorted(before.keys() | after.keys()):
        yield from _walk(
            before.get(name, rest_before),
            after.get(name, rest_after),
            _join(path, name),
            is_forward,
        )
    if isinstance(rest_before, dict) and isinstance(rest_after, dict):
        yield from _walk(rest_before, rest_after, _join(path, "*"), is_forward)
    elif not _covers(rest_after, rest_before):
        yield _changed(path, "additionalProperties", rest_before, rest_after, is_forward)


def _part(
    old: dict[str, Any], new: dict[str, Any], key: str, path: str, is_forward: bool
) -> Iterator[Change]:
    """Compare what one keyword says of a part; a keyword that is not there accepts everything."""
    if key in new:
        yield from _walk(old.get(key, True), new[key], path, is_forward)


def _pairs(
    old: dict[str, Any], new: dict[str, Any], key: str, path: str, is_forward: bool
) -> Iterator[Change]:
    """Compare two lists of schemas one by one; sound where a list gets looser with its items."""
    before, after = old.get(key), new.get(key)
    if after is None:
        return
    if isinstance(before, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _walk(one, other, path, is_forward)
    else:
        yield from _group(old, new, (key,), path, is_forward)


def _group(
    old: dict[str, Any], new: dict[str, Any], keys: tuple[str, ...], path: str, is_forward: bool
) -> Iterator[Change]:
    """Compare keywords that work together, as a whole."""
    before, after = ({k: schema[k] for k in keys if k in schema} for schema in (old, new))
    if not _same(before, after) and not _covers(after, old):
        changed = next(k for k in keys if not _same(before.get(k), after.get(k)))
        yield _changed(path, changed, before.get(changed), after.get(changed), is_forward)


def _changed(path: str, rule: str, was: Any, is_: Any, is_forward: bool) -> Change:
    if is_forward:
        was, is_ = is_, was
    return Change(path, rule, f"was {_shown(was)}, is {_shown(is_)}")


def _shown(value: Any) -> str:
    if value is None or value is True:
        return "open" if value else "not said"
    if value is False:
        return "not allowed"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _closed(old: Any, new: Any) -> Any:
    """Return ``old`` so that it refuses fields that only ``new`` names."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old
    closed = dict(old)
    if isinstance(new.get("properties"), dict):
        fields = dict(old.get("properties", {}))
        for name, schema in new["properties"].items():
            if name in fields:
                fields[name] = _closed(fields[name], schema)
            elif _is_open(old, name):
                fields[name] = False
        closed["properties"] = fields
    for key in _PARTS:
        if key in old and key in new:
            closed[key] = _closed(old[key], new[key])
    for key in _LISTS:
        before, after = old.get(key), new.get(key)
        if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            closed[key] = [_closed(a, b) for a, b in zip(before, after, strict=True)]
    return closed


def _undeclared(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield the paths of the fields that only ``new`` names and that ``old`` let pass unseen."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    for name, schema in new.get("properties", {}).items():
        before = old.get("properties", {})
        if name in before:
            yield from _undeclared(before[name], schema, _join(path, name))
        elif _is_open(old, name) and schema not in (True, {}):
            yield _join(path, name)
    for key in _PARTS:
        where = _join(path, "*") if key in ("items", "additionalProperties") else path
        yield from _undeclared(old.get(key), new.get(key), where)
    for key in _LISTS:
        for one, other in zip(old.get(key, ()), new.get(key, ()), strict=False):
            yield from _undeclared(one, other, path)


def _is_open(schema: dict[str, Any], name: str) -> bool:
    rest = schema.get("additionalProperties", True)
    return name not in schema.get("required", ()) and rest in (True, {})


def _covers(new: Any, old: Any) -> bool:
    """Whether ``new`` certainly accepts all that ``old`` does."""
    if _same(new, old) or new is True or new == {}:
        return True
    import jsonschema_rs

    try:
        later, earlier = (
            jsonschema_rs.canonicalize(
                schema, draft=jsonschema_rs.Draft202012, validate_formats=True, offline=True
            )
            for schema in (new, old)
        )
        return bool(later.covers(earlier) == jsonschema_rs.canonical.Containment.YES)
    except (ValueError, jsonschema_rs.ReferencingError):
        # It refers back into itself, or is beyond the library: it is compared place by place.
        return False


def _same(one: Any, other: Any) -> bool:
    # As JSON: to Python, true is 1.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
