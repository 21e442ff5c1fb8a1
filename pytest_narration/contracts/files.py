"""Files and folders of JSON Schemas -> documents, and what they may refer to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import schema
from ..errors import ConfigurationError

__all__ = ["neighbours", "read_schema", "schemas_at"]


def schemas_at(path: Path) -> dict[str, Path]:
    """Return ``{name: file}`` of one schema, or of all in a folder and below it.

    :raises ConfigurationError: there is no such file or folder, or no schema in it.
    """
    if path.is_file():
        return {path.name.removesuffix(".json"): path}
    if not path.is_dir():
        raise ConfigurationError(f"there is no file or folder {path}")
    files = sorted(path.rglob("*.json"))
    if not files:
        raise ConfigurationError(f"there is no .json file in {path}")
    return {file.relative_to(path).as_posix().removesuffix(".json"): file for file in files}


def neighbours(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``{uri: schema}`` of what schemas of a folder may refer to: its own, and ours.

    A file has its own URI and, if it says one, its ``$id``, which goes before one of ours.
    """
    known = dict(schema.registry())
    for file in sorted(folder.resolve().glob("*.json")):
        try:
            document = read_schema(file)
        except ConfigurationError:
            continue  # it need not be a schema, and one that is referred to will be missed
        known[file.as_uri()] = document
        if isinstance(document.get("$id"), str):
            known[document["$id"]] = document
    return known


def read_schema(path: Path) -> dict[str, Any]:
    """Read one JSON Schema.

    :raises ConfigurationError: the file cannot be read or is no JSON object.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"schema {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"schema {path} is a JSON {type(document).__name__}, no object")
    return document
