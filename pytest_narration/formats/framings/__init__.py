"""Framings: what engines and tools wrap around a program's line, taken off before it is read.

:func:`peel` takes off one layer; a reader calls it until nothing more comes off, since layers
nest: ``docker compose logs -t`` puts a prefix before a timestamp.
"""

from __future__ import annotations

import re

from .container import peel_cri, peel_docker_json, peel_journald
from .peeled import Peeled
from .prefix import (
    peel_cloud_foundry,
    peel_compose,
    peel_kubectl,
    peel_label,
    peel_stern,
    peel_timestamp,
    peel_turbo,
)
from .shippers import peel_shipper
from .syslog import peel_priority, peel_rfc3164, peel_rfc5424

__all__ = ["Peeled", "peel", "without_colours"]

_OBJECT = (peel_docker_json, peel_journald, peel_shipper)
_TEXT = (
    peel_cri, peel_kubectl, peel_label, peel_rfc5424, peel_rfc3164, peel_cloud_foundry,
    peel_compose, peel_timestamp, peel_stern, peel_turbo, peel_priority,
)  # fmt: skip

# ECMA-48 control sequences, and operating system commands such as hyperlinks and titles.
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-Z\\^_])")


def peel(line: bytes) -> Peeled | None:
    """Take off the outermost framing; ``None`` when there is none."""
    for take_off in _OBJECT if line[:1] == b"{" else _TEXT:
        peeled = take_off(line)
        if peeled is not None:
            return peeled
    return None


def without_colours(line: bytes) -> bytes:
    """Return the line without terminal colours; JSON never holds a raw escape character."""
    return _ANSI.sub(b"", line) if b"\x1b" in line else line
