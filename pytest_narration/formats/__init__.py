"""Log lines of any logger, in any framing -> events: readers for sources.

>>> reader = reader("auto", {"correlation_id": "ctx.corr"}, source="api")
>>> for decoded in reader.feed(chunk): ...

Detection is by record, so streams may mix loggers. ``docs/formats.md`` lists what is understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .compose import Shape, compose
from .continuation import Batch, Continuation, flat
from .field_map import FieldMap
from .format import Format, JsonFormat
from .reader import Decoded, Reader
from .registry import GROUP, formats, named

__all__ = [
    "GROUP",
    "Batch",
    "Continuation",
    "Decoded",
    "FieldMap",
    "Format",
    "JsonFormat",
    "Reader",
    "Shape",
    "compose",
    "flat",
    "formats",
    "named",
    "reader",
]


def reader(
    name: str = "auto",
    mapping: Mapping[str, str | Sequence[str]] | FieldMap | None = None,
    *,
    source: str = "",
    service: str | None = None,
    own: Sequence[Format] = (),
) -> Reader:
    """Return a reader for one stream.

    :param name: a format's name, or ``"auto"``.
    :param mapping: ``[tool.narration.map]``: ``{column: dotted path or list of them}``.
    :param source: name of the source, for rejected lines.
    :param service: service of events whose record and framing name none.
    :param own: formats of the project, beside those that are registered.
    :raises ConfigurationError: no such format, or a mapping that maps nothing.
    """
    fields = mapping if isinstance(mapping, FieldMap) else FieldMap(mapping)
    return Reader(name, fields, source=source, service=service, own=tuple(own))
