"""Syslog lines, RFC 5424 and RFC 3164, as sent and as written to files by rsyslog and others."""

from __future__ import annotations

import re
from typing import Any

from ..levels import level_of
from ..times import rfc3339
from .peeled import Peeled

__all__ = ["peel_priority", "peel_rfc3164", "peel_rfc5424"]

_RFC5424 = re.compile(
    rb"(?:\d{1,7} )?<(\d{1,3})>1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32})"
    rb"(?: (-|(?:\[(?:[^\]\\]|\\.)*\])+))?(?: |$)",  # Heroku's drains leave the data out
    re.DOTALL,
)
_RFC3164 = re.compile(
    rb"(?:<(\d{1,3})>)?"
    rb"((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?:\.\d{6})?"
    rb"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
    rb"|[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})? [A-Z]{1,5}|\d{10}\.\d{6}) "
    rb"(?:([\w.:-]{1,255}) )?(?=[^:\s]*[A-Za-z])([\w./-]{1,128})(?:\[([^\]\s]{1,64})\])?: ?"
)
# The tag is a custom, not a rule: "<13>Oct 11 22:14:15 host it rains".
_RFC3164_UNTAGGED = re.compile(
    rb"<(\d{1,3})>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ([\w.:-]{1,255})()() "
)
_ELEMENT = re.compile(rb"\[([^ \]]{1,64})((?: [^ =\]]{1,64}=\"(?:[^\"\\]|\\.)*\")*) ?\]", re.DOTALL)
_PARAM = re.compile(rb" ([^ =\]]{1,64})=\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_WEEKDAY = re.compile(r"[A-Z][a-z]{2} (?=\d{4}-)")
_PRIORITY = re.compile(rb"<([0-7])>(?=\S)")
_COOKIES = (b"@cee:", b"\xef\xbb\xbf")


def peel_rfc5424(line: bytes) -> Peeled | None:
    """Peel ``<34>1 2024-05-01T10:00:00Z host app 12 ID47 [sd a="b"] …``."""
    match = _RFC5424.match(line)
    if not match:
        return None
    priority, when, host, app, pid, message_id = (
        part.decode("utf-8", "replace") for part in match.groups()[:6]
    )
    fields: dict[str, Any] = {}
    for element in _ELEMENT.finditer(match[7] or b""):
        for param in _PARAM.finditer(element[2]):
            value = re.sub(rb'\\(["\\\]])', rb"\1", param[2])
            fields.setdefault(param[1].decode("utf-8", "replace"), value.decode("utf-8", "replace"))
    if message_id != "-":
        fields["event_name"] = message_id
    return _peeled(line[match.end() :], priority, when, host, app, pid, fields)


def peel_rfc3164(line: bytes) -> Peeled | None:
    """Peel ``<34>Oct 11 22:14:15 host app[12]: …``, with or without its priority and host."""
    match = _RFC3164.match(line) or _RFC3164_UNTAGGED.match(line)
    if not match:
        return None
    if match[1] is None and level_of((match[3] or match[4]).decode()) is not None:
        return None  # "2024-05-01T10:00:00Z ERROR shop: …" is a logger's own text
    priority, when, host, app, pid = (
        part.decode("utf-8", "replace") if part else "-" for part in match.groups()
    )
    return _peeled(line[match.end() :], priority, when, host, app, pid, {})


def peel_priority(line: bytes) -> Peeled | None:
    """Peel ``<3>``, with which a service under systemd says how severe a line is (sd-daemon(3))."""
    match = _PRIORITY.match(line)
    if not match:
        return None
    return Peeled(
        inner=line[match.end() :], level=level_of(int(match[1]), "syslog"), is_message=True
    )


def _peeled(
    inner: bytes, priority: str, when: str, host: str, app: str, pid: str, fields: dict[str, Any]
) -> Peeled:
    for cookie in _COOKIES:
        inner = inner.removeprefix(cookie)
    timestamp = rfc3339(_WEEKDAY.sub("", when))
    if timestamp is None and when != "-":
        fields["syslog_time"] = when  # RFC 3164 has no year
    if host != "-":
        fields["host"] = host
    return Peeled(
        inner=inner.lstrip(b" ") if inner.lstrip(b" ")[:1] == b"{" else inner,
        stream=f"{host}/{app}/{pid}",
        service=None if app == "-" else app.rpartition("/")[2],
        instance=None if pid == "-" else f"{'' if host == '-' else host}:{pid}",
        timestamp=timestamp,
        level=level_of(int(priority) % 8, "syslog") if priority != "-" else None,
        is_message=True,
        fields=fields,
    )
