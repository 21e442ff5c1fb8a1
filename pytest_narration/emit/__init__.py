"""What services import to narrate: one JSON object per line, on stdout and on a job's SSE stream.

::

    from pytest_narration.emit import configure, narrate, narration_context

    configure(service="worker", version="1.4.0")
    with narration_context(correlation_id=cid, job_id=job_id, actor="tokenizer"):
        narrate("tokenize", "Tokenized prompt ({tokens_in} tokens)", tokens_in=7)

It imports neither pytest nor anything heavy: msgspec, and a compiled matcher for redaction.
Middleware is in :mod:`.asgi` and :mod:`.wsgi`, client hooks in :mod:`.clients_httpx`,
:mod:`.clients_aiohttp` and :mod:`.clients_requests`.
"""

from .asgi import NarrationMiddleware
from .context import Channel, Context, Trail, current_context, narration_context
from .headers import Incoming, extract, inject, learn
from .identity import Identity, new_id
from .job_runs import JobRun, end_job_run, job_run, start_job_run
from .layers import layer
from .process import configure, flush, identity, narrate, subscribe
from .shorthand import narrate_auto, narrate_with_otel_context

__all__ = [
    "Channel",
    "Context",
    "Identity",
    "Incoming",
    "JobRun",
    "NarrationMiddleware",
    "Trail",
    "configure",
    "current_context",
    "end_job_run",
    "extract",
    "flush",
    "identity",
    "inject",
    "job_run",
    "layer",
    "learn",
    "narrate",
    "narrate_auto",
    "narrate_with_otel_context",
    "narration_context",
    "new_id",
    "start_job_run",
    "subscribe",
]
