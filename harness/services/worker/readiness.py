"""A worker that can serve -> the pool manager knows it.

The callback is repeated with growing pauses until it is accepted or the attempts are used up; a
worker that nobody knows of is of no use, so its process ends then. Used by :mod:`.service`.
"""

from __future__ import annotations

import asyncio

from pytest_narration.emit import narrate, narration_context

from ..hop import Hop, HopError
from ..web import Tokens

__all__ = ["NotAccepted", "report_ready"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_PATIENCE = 5.0

_KINDS = {"ECONNREFUSED": "connection_refused", "ECONNRESET": "connection_reset"}
"""Words of this service's own for what often happens; other kinds are the lower-case of theirs."""


class NotAccepted(Exception):
    """The pool manager did not take the report, as often as it was tried. Narrated already."""


async def report_ready(
    url: str, facts: dict[str, object], *, tokens: Tokens, worker_id: str, attempts: int
) -> None:
    """Post ``facts`` until the answer is 2xx.

    :raises NotAccepted: after the last attempt.
    """
    hop = Hop(tokens)
    try:
        with narration_context(worker_id=worker_id, actor="llm-worker"):
            narrate("callback_ready", "Reporting ready to pool manager")
            pause = _FIRST_PAUSE
            for attempt in range(1, attempts + 1):
                narrate(
                    "callback_ready",
                    "Calling pool manager at {target}",
                    target=url,
                    attempt=attempt,
                )
                try:
                    await hop.call("POST", url, facts, timeout=_PATIENCE)
                    return
                except HopError as error:
                    is_last = attempt == attempts
                    _narrate_failed(error, url, attempt, 0 if is_last else pause)
                if not is_last:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
            raise NotAccepted(f"{url} did not accept the report in {attempts} attempts")
    finally:
        await hop.close()


def _narrate_failed(error: HopError, url: str, attempt: int, pause: float) -> None:
    """Narrate one failed attempt; a pause of 0 says that there is no other."""
    narrate(
        "error",
        "Pool manager callback failed: {error_kind}",
        level="error",
        target=url,
        error_kind=_KINDS.get(error.kind, error.kind.lower()),
        reason=error.message,
        attempt=attempt,
        backoff_ms=round(pause * 1000) or None,
    )
