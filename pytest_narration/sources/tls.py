"""The authorities that HTTPS is verified by, for every client that is made here.

Reading them takes 40 ms, which a client of its own for each stream or scenario would pay.
"""

from __future__ import annotations

import functools
import os
import ssl

from ..errors import ConfigurationError

__all__ = ["trusted"]

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted(*, trust_env: bool = False) -> ssl.SSLContext:
    """Return what verifies servers.

    :param trust_env: whether ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` count, as for the client.
    :raises ConfigurationError: what they name cannot be read.
    """
    return _context(*(map(os.environ.get, _VARIABLES) if trust_env else (None, None)))


@functools.cache
def _context(*given: str | None) -> ssl.SSLContext:
    import httpx

    try:
        return httpx.create_ssl_context(trust_env=any(given))
    except OSError as error:
        named = ", ".join(f"{n}={v!r}" for n, v in zip(_VARIABLES, given, strict=True) if v)
        raise ConfigurationError(f"{named}: no certificates can be read: {error}") from error
