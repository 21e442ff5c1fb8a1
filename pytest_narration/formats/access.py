"""Access logs of proxies and web servers: no message, but a method, a path and a status.

nginx's and Envoy's JSON have the names that their operator chose; these are the usual ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat

__all__ = ["Access", "request_line"]

_METHODS = ("method", "request_method", "http_method", "requestMethod", "verb")
_PATHS = ("path", "request_uri", "uri", "url", "request_path", "requestUrl", "uri_path")
_STATUSES = ("status", "response_code", "status_code", "statusCode", "http_status")
_SPOKEN = ("message", "msg", "log", "event", "@message", "human")
_ENVOY = frozenset({"response_flags", "upstream_cluster", "upstream_service_time"})


class Access(JsonFormat):
    """``{"time_iso8601":…,"request":"GET / HTTP/1.1","status":200,"request_time":0.012}``."""

    name: ClassVar[str] = "access"
    shape: ClassVar[Shape] = Shape(
        human=("request line",),
        level=("level", "severity"),
        timestamp=(
            "time_iso8601", "time", "timestamp", "@timestamp", "start_time", "time_local", "msec",
            "ts",
        ),
    )  # fmt: skip

    def score(self, record: dict[str, Any]) -> int:
        if any(name in record for name in _SPOKEN):
            return 0
        return 7 if request_line(record) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = record | {"request line": request_line(record)}
        try:
            if "request_time" in record:  # nginx: seconds
                flat["duration_ms"] = round(float(record["request_time"]) * 1000, 3)
            elif not _ENVOY.isdisjoint(record):
                flat["duration_ms"] = float(record["duration"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return flat  # "-" is a time, too
        return flat


def request_line(record: dict[str, Any]) -> str | None:
    """Return ``GET /orders 200``, ``None`` when the record tells of no request."""
    status = _first(record, _STATUSES)
    request = record.get("request")
    if isinstance(request, str) and request.count(" ") == 2 and " HTTP/" in request:
        said = request.rpartition(" ")[0]
    else:
        method, path = _first(record, _METHODS), _first(record, _PATHS)
        if not (method and path and method.isalpha() and method.isupper()):
            return None
        said = f"{method} {path}"
    return f"{said} {status}" if status else None


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) < 8192:
            return str(value)
    return ""
