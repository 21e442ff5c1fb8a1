"""Container engines' log files: Docker's json-file, and the CRI format of Kubernetes nodes.

Both cut long lines into fragments of 16 KiB; Docker marks the last one by its newline, CRI by a
``F`` in place of ``P``.
"""

from __future__ import annotations

import re

import msgspec

from ..times import rfc3339
from .peeled import Peeled

__all__ = ["peel_cri", "peel_docker_json", "peel_journald"]

_decode = msgspec.json.Decoder().decode
_DOCKER_FIELDS = {"log", "stream", "time", "attrs"}
# https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
_CRI = re.compile(
    rb"(\d{4}-\d\d-\d\dT[0-9:.]{8,20}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[^ ]*)?(?: |$)"
)


def peel_docker_json(line: bytes) -> Peeled | None:
    r"""Peel ``{"log":"…\n","stream":"stdout","time":"2024-…Z"}``."""
    if not line.startswith(b'{"log":'):
        return None
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not record.keys() <= _DOCKER_FIELDS or "time" not in record:
        return None
    text = record["log"]
    if not isinstance(text, str):
        return None
    return Peeled(
        inner=text.removesuffix("\n").encode("utf-8", "replace"),
        stream=str(record.get("stream", "")),
        timestamp=rfc3339(record["time"]),
        is_fragment=not text.endswith("\n"),
    )


def peel_cri(line: bytes) -> Peeled | None:
    """Peel ``2024-05-01T10:00:00.123456789Z stdout F …``."""
    match = _CRI.match(line)
    if not match:
        return None
    return Peeled(
        inner=line[match.end() :],
        stream=match[2].decode(),
        timestamp=rfc3339(match[1].decode()),
        is_fragment=match[3] == b"P",
    )


def peel_journald(line: bytes) -> Peeled | None:
    """Peel a ``journalctl -o json`` entry whose MESSAGE is itself a structured line."""
    if b'"__REALTIME_TIMESTAMP"' not in line or line[:1] != b"{":
        return None
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    message = record.get("MESSAGE")
    if not isinstance(message, str) or not message.startswith("{"):
        return None
    unit, pid = record.get("_SYSTEMD_UNIT"), record.get("_PID")
    return Peeled(
        inner=message.encode("utf-8", "replace"),
        stream=f"{unit}:{pid}",
        service=unit.removesuffix(".service") if isinstance(unit, str) else None,
        instance=f"{record.get('_HOSTNAME') or ''}:{pid}" if pid else None,
        timestamp=rfc3339(record["__REALTIME_TIMESTAMP"]),
    )
