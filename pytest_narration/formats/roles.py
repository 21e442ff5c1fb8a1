"""What loggers call the ids that a story hangs on: name of a field -> column of an event.

One concept has many names: ``x-request-id``, ``requestId``, ``req.id``, ``http.request.id``. They
are compared without case and punctuation, and nested names are joined, so one entry covers all
spellings. Within a column the earlier name wins.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["CONTAINERS", "bare", "role_of"]

_NAMES: dict[str, tuple[str, ...]] = {
    "correlation_id": (
        "correlationid", "corrid", "correlation", "narrationcorrelationid",
        "requestid", "reqid", "httprequestid", "httpxrequestid", "requestcorrelationid",
        "requestuid", "requestuuid",
        "awsrequestid", "lambdarequestid", "flowid", "activityid",
    ),
    "trace_id": (
        "traceid", "trace", "oteltraceid", "ddtraceid", "b3traceid",
        "logginggoogleapiscomtrace", "amzntraceid",
    ),
    "span_id": ("spanid", "otelspanid", "ddspanid", "b3spanid", "logginggoogleapiscomspanid"),
    "parent_span_id": ("parentspanid", "b3parentspanid", "ddparentid", "parentid"),
    "job_id": ("jobid", "jid"),
    "parent_job_id": ("parentjobid", "callerjobid"),
    "session_id": ("sessionid",),
    "task_id": ("taskid",),
    "node_id": ("nodeid",),
    "pool_id": ("poolid",),
    "replica_id": ("replicaid",),
    "worker_id": ("workerid",),
    "service": (
        "servicename", "service", "svc", "ddservice", "otelservicename", "resourceservicename",
        "applicationname", "application", "appname", "app",
    ),
    "version": ("serviceversion", "appversion", "applicationversion", "ddversion"),
    "instance": ("serviceinstanceid", "instanceid", "instance", "kubernetespodname", "podname"),
    "host": ("hostname", "host", "machinename", "computername", "servername"),
    "pid": ("pid", "processid", "processpid"),
    "actor": (
        "logger", "loggername", "loglogger", "component", "module", "subsystem", "sourcecontext",
        "category", "scopename",
    ),
    "action": ("eventname", "eventaction", "action", "event", "messagetype", "eventtype"),
    "error_kind": (
        "errorkind", "errortype", "exceptiontype", "exceptionclass", "errorclass", "errtype",
        "errname", "errorname", "errorcode", "exceptionname", "errcode", "exceptionexceptiontype",
        "exceptionexceptionclass", "thrownerrortype",
    ),
    "duration_ms": (
        "durationms", "elapsedms", "responsetimems", "responsetime", "latencyms", "tookms",
        "elapsedmilliseconds", "durationmilliseconds",
    ),
    "source_location": ("sourcelocation", "caller"),
    "traceparent": ("traceparent",),
}  # fmt: skip

_ROLES = {
    name: (column, rank) for column, names in _NAMES.items() for rank, name in enumerate(names)
}

CONTAINERS = frozenset({
    "context", "ctx", "mdc", "contextmap", "extra", "fields", "labels", "tags", "attributes",
    "metadata", "meta", "data", "properties", "correlation", "headers", "logcontext", "bindings",
    "payload", "jsonpayload", "logginggoogleapiscomlabels", "namedtags", "resource", "request",
    "req", "http", "httprequest", "state", "loggingcontext",
})  # fmt: skip
"""Objects whose name says nothing about what is in them."""

_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_X = re.compile(r"x[-_.](?=.)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, int] | None:
    """Return ``(column, rank)`` of a field's name, ``None`` when it means nothing here.

    ``service`` and others stand for themselves; ``version``, ``host``, ``pid`` and
    ``traceparent`` are no columns but parts of some.
    """
    found = _ROLES.get(bare(name))
    if found is None and "." in name:  # slog's groups and others' contexts, written in one name
        container, _, inner = name.partition(".")
        return role_of(inner) if bare(container) in CONTAINERS else None
    return found


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """Return the name without case, punctuation and a leading ``x-``."""
    head, _, tail = name.rpartition(".")
    last = _X.sub("", tail, count=1) if _X.match(tail) else tail
    return _PUNCTUATION.sub("", f"{head}.{last}".lower())
