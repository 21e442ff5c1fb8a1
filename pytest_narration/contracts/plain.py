"""A JSON Schema -> the same without annotations, with its references replaced by what they name.

So two versions can be compared place by place. A reference that leads back into itself stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin

from ..errors import ConfigurationError

__all__ = ["plain"]

_SAYS_NOTHING: Final = frozenset(
    {
        "$anchor", "$comment", "$id", "$schema", "default", "deprecated", "description",
        "examples", "readOnly", "title", "writeOnly",
    }
)  # fmt: skip
"""Keywords that refuse no value."""
_NAMES: Final = frozenset(
    {"$defs", "dependentSchemas", "patternProperties", "properties"}
)  # whose keys are the schema's own words and no keywords
_VALUES: Final = frozenset({"const", "enum", "required", "dependentRequired", "type"})


def plain(
    document: Mapping[str, Any] | bool,
    *,
    others: Mapping[str, Mapping[str, Any]] | None = None,
    base: str = "",
) -> Any:
    """Return the plain form.

    :param others: ``{uri: document}`` that references may lead to.
    :param base: where relative references start.
    :raises ConfigurationError: a reference leads nowhere.
    """
    if isinstance(document, bool):
        return document
    base = str(document.get("$id") or base)
    known = {**(others or {}), base: document}
    return _plain(document, known, base, ())


def _plain(
    node: Any, known: Mapping[str, Mapping[str, Any]], base: str, inside: tuple[str, ...]
) -> Any:
    if isinstance(node, list):
        return [_plain(item, known, base, inside) for item in node]
    if not isinstance(node, Mapping):
        return node
    said: dict[str, Any] = {}
    for key, value in node.items():
        if key in _SAYS_NOTHING or key in ("$ref", "$defs"):
            continue
        if key in _VALUES:
            said[key] = value
        elif key in _NAMES and isinstance(value, Mapping):
            said[key] = {name: _plain(part, known, base, inside) for name, part in value.items()}
        else:
            said[key] = _plain(value, known, base, inside)
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return said
    uri = base + reference if reference.startswith("#") else urljoin(base, reference)
    if uri in inside:
        return {**said, "$ref": reference}
    target = _target(uri, known)
    if target is None:
        raise ConfigurationError(f"the $ref {reference!r} in schema {base or '?'} leads nowhere")
    meant = _plain(target, known, uri.partition("#")[0], (*inside, uri))
    if not said:
        return meant
    return {"allOf": [meant, said]} if said.keys() & _keys(meant) else {**said, **meant}


def _keys(schema: Any) -> set[str]:
    # `false` has no keywords and refuses everything: it must not be merged away.
    return set(schema) if isinstance(schema, dict) else {"allOf"}


def _target(uri: str, known: Mapping[str, Mapping[str, Any]]) -> Any:
    address, _, pointer = uri.partition("#")
    place: Any = known.get(address)
    if pointer and not pointer.startswith("/"):
        return _anchored(place, pointer)
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            place = place[int(name)]
        else:
            place = place.get(name) if isinstance(place, Mapping) else None
    return place


def _anchored(node: Any, anchor: str) -> Any:
    if isinstance(node, Mapping):
        if node.get("$anchor") == anchor:
            return node
        node = list(node.values())
    parts = (_anchored(part, anchor) for part in node) if isinstance(node, list) else ()
    return next((found for found in parts if found is not None), None)
