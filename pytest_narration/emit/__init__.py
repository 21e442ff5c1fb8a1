"""What services import to narrate: one JSON object per line, on stdout and on a job's SSE stream.

::

    from pytest_narration.emit import configure, narrate, narration_context

    configure(service="worker", version="1.4.0")
    with narration_context(correlation_id=cid, job_id=job_id, actor="tokenizer"):
        narrate("tokenize", "Tokenized prompt ({tokens_in} tokens)", tokens_in=7)

It imports neither pytest nor anything heavy: msgspec, and a compiled matcher for redaction.
"""

from .context import Channel, Context, Trail, current_context, narration_context
from .identity import Identity, new_id
from .process import configure, flush, identity, narrate, subscribe

__all__ = [
    "Channel",
    "Context",
    "Identity",
    "Trail",
    "configure",
    "current_context",
    "flush",
    "identity",
    "narrate",
    "narration_context",
    "new_id",
    "subscribe",
]
