"""Prefixes that tools put before each line when they interleave several programs.

``docker compose logs``, ``docker service logs``, ``kubectl logs --prefix``, stern and kubetail,
Tilt, Cloud Foundry, foreman and honcho, PM2, concurrently, turbo and pnpm, and the timestamps of
``docker logs -t`` and ``kubectl logs --timestamps``.
"""

from __future__ import annotations

import re

from ..times import rfc3339
from .peeled import Peeled

__all__ = [
    "peel_cloud_foundry",
    "peel_compose",
    "peel_kubectl",
    "peel_label",
    "peel_stern",
    "peel_timestamp",
    "peel_turbo",
]

_COMPOSE = re.compile(
    rb"(?:\d\d:\d\d:\d\d )?(\d{1,4}\|)?"
    rb"([A-Za-z0-9][A-Za-z0-9_.-]{0,127}?)(?:([-_.])(\d{1,5}))?[ \t]{1,64}\| ?"
)
# The same column in other tools: Tilt's "  api │ …" and Podman's "[api]  | …".
_COLUMN = re.compile(
    rb"(?: {0,64}([A-Za-z0-9][\w.:-]{0,127}) \xe2\x94\x82"
    rb"|\[([A-Za-z0-9][\w.-]{0,127})\][ \t]{1,64}\|) ?"
)
_SWARM = re.compile(
    rb"([A-Za-z0-9][\w.-]{0,127})\.(\d{1,5})\.[a-z0-9]{25}@[\w.-]{1,128}[ \t]{1,64}\| ?"
)
_KUBECTL = re.compile(rb"\[pod/([^/\]\s]{1,253})/([^\]\s]{1,253})\] ?")
_LABEL = re.compile(rb"\[([A-Za-z0-9][\w.:@/-]{0,127})\] (?:([\w.-]{1,128}): )?(?=\{)")
# A pod's name ends with a number, or with five characters that spell no word.
_POD = rb"([a-z0-9][a-z0-9.-]{0,240}-(?:\d{1,4}|[bcdfghjklmnpqrstvwxz2-9]{5}))"
_CONTAINER = rb"([a-z0-9][a-z0-9-]{0,62})"
_RECORD = rb"(?=(?:\d{4}-\d\d-\d\dT[0-9:.]{8,20}(?:Z|[+-]\d\d:\d\d) )?\{)"
_STERN = re.compile(rb"(?:[a-z0-9][a-z0-9-]{0,62} )?" + _POD + rb" " + _CONTAINER + rb" " + _RECORD)
_KUBETAIL = re.compile(rb"\[" + _POD + rb" " + _CONTAINER + rb"\] " + _RECORD)
_CLOUD_FOUNDRY = re.compile(
    rb" {0,8}(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{2}[+-]\d{4}) "
    rb"\[([A-Z]+(?:/[\w-]+){1,4})\] (?:OUT|ERR) "
)
_TURBO = re.compile(rb"(?:@[\w.-]{1,100}/)?([A-Za-z][\w.-]{0,100}):([\w.-]{1,60}): (?=\{)")
_PNPM = re.compile(rb"(?:[\w@.-]{1,100}/){1,6}([\w@.-]{1,100}) ([\w.:-]{1,60}): (?=\{)")
# A time before a level is the program's own, unless a relay's label follows.
_LEVEL = (
    rb"(?! *\[?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|TRC|DBG|INF|WRN|ERR|FTL)\b"
    rb"(?!\] [\w.-]{1,128}: \{))"
)
_TIMESTAMP = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) "
    + _LEVEL + rb"(?=.)"
)  # fmt: skip


def peel_compose(line: bytes) -> Peeled | None:
    """Peel ``api-1  | …`` and PM2's ``0|api  | …``; the service is ``api``."""
    match = _COMPOSE.match(line)
    if not match:
        return _peel_column(line)
    index, service, joint, number = (part.decode() if part else "" for part in match.groups())
    instance = f"{index}{service}{joint}{number}"
    return Peeled(inner=line[match.end() :], stream=instance, service=service, instance=instance)


def _peel_column(line: bytes) -> Peeled | None:
    if match := _SWARM.match(line):
        service, number = match[1].decode(), match[2].decode()
        instance = f"{service}.{number}"
    elif match := _COLUMN.match(line):
        service = instance = (match[1] or match[2]).decode("utf-8", "replace")
    else:
        return None
    return Peeled(inner=line[match.end() :], stream=instance, service=service, instance=instance)


def peel_kubectl(line: bytes) -> Peeled | None:
    """Peel ``[pod/api-7d4b9-x2x/api] …``; the service is the container."""
    match = _KUBECTL.match(line)
    if not match:
        return None
    pod, container = match[1].decode("utf-8", "replace"), match[2].decode("utf-8", "replace")
    return Peeled(
        inner=line[match.end() :], stream=f"{pod}/{container}", service=container, instance=pod
    )


def peel_stern(line: bytes) -> Peeled | None:
    """Peel stern's ``api-7d4b9-x2x api {…}`` and kubetail's, before a JSON object only."""
    match = _STERN.match(line) or _KUBETAIL.match(line)
    if not match:
        return None
    pod, container = match[1].decode(), match[2].decode()
    return Peeled(
        inner=line[match.end() :], stream=f"{pod}/{container}", service=container, instance=pod
    )


def peel_turbo(line: bytes) -> Peeled | None:
    """Peel turbo's ``@acme/api:dev: {…}`` and pnpm's, before a JSON object only."""
    match = _TURBO.match(line) or _PNPM.match(line)
    if not match or match[1].isupper():  # "ERROR:root: {…}" is Python's logging
        return None
    service = match[1].decode()
    return Peeled(inner=line[match.end() :], stream=service, service=service)


def peel_cloud_foundry(line: bytes) -> Peeled | None:
    """Peel ``2024-05-01T10:00:00.12+0000 [APP/PROC/WEB/0] OUT …`` of ``cf logs``."""
    match = _CLOUD_FOUNDRY.match(line)
    if not match:
        return None
    return Peeled(
        inner=line[match.end() :], stream=match[2].decode(), timestamp=rfc3339(match[1].decode())
    )


def peel_label(line: bytes) -> Peeled | None:
    """Peel ``[api] {…}`` and ``[INFO] worker-gpu0-r1: {…}``, before a JSON object only."""
    match = _LABEL.match(line)
    if not match:
        return None
    label, name = match[1].decode(), (match[2] or b"").decode()
    return Peeled(inner=line[match.end() :], stream=name or label, instance=name or None)


def peel_timestamp(line: bytes) -> Peeled | None:
    """Peel ``2024-05-01T10:00:00.123456789Z …``."""
    match = _TIMESTAMP.match(line)
    if not match:
        return None
    return Peeled(inner=line[match.end() :], timestamp=rfc3339(match[1].decode()))
