"""Objects in which log shippers carry a program's line: Fluent Bit, Vector, Filebeat and their kin.

An application may log JSON as its message, too, so a field alone proves nothing: what only a
shipper adds must be beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..field_map import find
from ..times import rfc3339
from .peeled import Peeled

__all__ = ["peel_shipper"]

_decode = msgspec.json.Decoder().decode
# {name of the line: what a shipper adds to it}
_MARKS: dict[str, tuple[str, ...]] = {
    "log": ("kubernetes", "stream", "container_name", "container_id", "ecs_cluster"),
    "message": ("source_type", "podName", "@metadata", "agent.type", "log.file.path", "kubernetes"),
    "line": ("labels",),
}
_LEVELS = ("level", "severity", "levelname", "log.level", "loglevel")
"""What a shipper that has read the line itself leaves beside the message."""
_SERVICES = (
    "kubernetes.container_name", "kubernetes.container.name", "containerName", "container_name",
    "container.name", "labels.container", "labels.app", "labels.service_name",
)  # fmt: skip
_INSTANCES = ("kubernetes.pod_name", "kubernetes.pod.name", "podName", "labels.pod")
_TIMES = ("time", "timestamp", "@timestamp", "date")


def peel_shipper(line: bytes) -> Peeled | None:
    """Peel ``{"log":"…","stream":"stdout","kubernetes":{…}}`` and what others make of a line."""
    # Nearly every JSON line is no shipper's, and must not be decoded for nothing. Written out: a
    # loop takes longer than the search.
    if not (
        b'"{\\"' in line
        or b'"log":' in line
        or b'"line":' in line
        or b'"source_type"' in line
        or b'"podName"' in line
        or b'"@metadata"' in line
    ):
        return None
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for name, marks in _MARKS.items():
        text = record.get(name)
        if not isinstance(text, str) or all(find(record, mark) is None for mark in marks):
            continue
        if text[:1] == "{" or all(find(record, level) is None for level in _LEVELS):
            return _peeled(record, name, text)
    return None


def _peeled(record: Mapping[str, Any], name: str, text: str) -> Peeled:
    text = text.removesuffix("\n")
    service, instance = _first(record, _SERVICES), _first(record, _INSTANCES)
    times = (rfc3339(find(record, path)) for path in _TIMES)
    return Peeled(
        inner=text.encode("utf-8", "replace"),
        stream=f"{instance or service or ''}/{record.get('stream', '')}",
        service=service.lstrip("/") if service else None,
        instance=instance,
        timestamp=next((time for time in times if time), None),
        is_message=True,
        is_line=True,
        fields={key: value for key, value in record.items() if key != name},
    )


def _first(record: Mapping[str, Any], paths: tuple[str, ...]) -> str | None:
    found = (find(record, path) for path in paths)
    return next((text for text in found if isinstance(text, str) and text), None)
