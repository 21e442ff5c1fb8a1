"""``correlation-echoed``: responses carry the correlation id, the caller's when it gave one.

Who calls with X-Request-Id, or with no id, may be answered with X-Request-Id alone.
Judged on the HTTP calls that the test made. A call that got no response is not judged; an id that
no service may accept (oversized, or with characters outside of the header's alphabet) must be
replaced, so only its presence is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from .evidence import Exchange
from .facts import Facts
from .registry import rule
from .verdict import Finding, Note, Violation
from .words import quoted

__all__ = ["correlation_echoed"]

_HEADER = "x-correlation-id"
_ALIAS = "x-request-id"


@rule(
    "correlation-echoed",
    title="every response carries the request's correlation id",
    hint=(
        "set X-Correlation-Id on every response, errors included, in the outermost middleware (in "
        "Python `NarrationMiddleware`); paths that need none belong in the option `skip`"
    ),
    needs=("http",),
    on_nothing="judge",
)
def correlation_echoed(evidence: Facts, *, skip: Sequence[str] = ()) -> Iterable[Finding]:
    """Yield one violation for each response without the id, or with another one.

    :param skip: paths, such as ``"/health"``, whose responses need no id.
    """
    judged = 0
    for exchange in evidence.exchanges:
        # A status below 200 stands for a call that was never answered.
        if exchange.status < 200 or urlsplit(exchange.url).path in skip:
            continue
        judged += 1
        yield from _judge(exchange)
    if not judged:
        yield Note("the test recorded no HTTP response, so no echo could be judged")


def _judge(exchange: Exchange) -> Iterable[Violation]:
    sent, received = exchange.request_headers, exchange.response_headers
    given = sent.get(_HEADER, sent.get(_ALIAS))
    echoed = received.get(_HEADER)
    if echoed is None and _HEADER not in sent:
        echoed = received.get(_ALIAS)  # many services know the alias only, and so does who calls
    call = f"{exchange.method} {urlsplit(exchange.url).path or '/'} → {exchange.status}"
    host = urlsplit(exchange.url).netloc
    hop = f"between {exchange.source or 'the test'} and {host or exchange.url}"
    answered = received.get(_HEADER), received.get(_ALIAS)
    proof = (
        f"{call} at {host}",
        f"request {_HEADER}: {quoted(sent.get(_HEADER))}, {_ALIAS}: {quoted(sent.get(_ALIAS))}",
        f"response {_HEADER}: {quoted(answered[0])}, {_ALIAS}: {quoted(answered[1])}",
    )
    if not echoed:
        title = f"correlation id not echoed {hop}: {call} answered without X-Correlation-Id"
        if given is not None:
            title += f" to a request with {quoted(given)}"
    elif given is not None and echoed != given and _is_acceptable(given):
        title = (
            f"correlation id changed {hop}: {call} answered with {quoted(echoed)} instead of "
            f"{quoted(given)}"
        )
    else:
        return
    yield Violation(title, proof, hop=hop, source=exchange.source)


def _is_acceptable(given: str) -> bool:
    from ..emit.incoming import is_id

    return bool(is_id(given))
