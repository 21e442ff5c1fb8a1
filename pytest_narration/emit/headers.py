"""Headers of a request -> what a context binds, and a context -> headers of the next request.

The one place that knows the names on the wire. Middleware, client hooks and queue consumers all
call :func:`extract`, :func:`inject` and :func:`learn`; headers may be any mapping, pairs of str,
or ASGI's pairs of bytes. ``docs/headers.md`` has the table, the limits and recipes.

::

    incoming = extract(request.headers)
    with incoming.context(job_id=job):
        narrate(...)
        response = await client.post(url, headers=inject())
        learn(response.headers)
"""

from .incoming import (
    CORRELATION_HEADER,
    MAX_ID_CHARS,
    MEMBER_KEY,
    PARENT_JOB_HEADER,
    REQUEST_ID_HEADER,
    Headers,
    Incoming,
    TraceState,
    extract,
    is_id,
    narrate_replaced,
)
from .outgoing import CAUSE_HEADER, inject, learn, response_headers

__all__ = [
    "CAUSE_HEADER",
    "CORRELATION_HEADER",
    "MAX_ID_CHARS",
    "MEMBER_KEY",
    "PARENT_JOB_HEADER",
    "REQUEST_ID_HEADER",
    "Headers",
    "Incoming",
    "TraceState",
    "extract",
    "inject",
    "is_id",
    "learn",
    "narrate_replaced",
    "response_headers",
]
