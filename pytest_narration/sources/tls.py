"""The authorities that this machine trusts, for every client that is made here.

Reading them takes 40 ms, which a client of its own for each stream or scenario would pay.
"""

from __future__ import annotations

import functools
import ssl

__all__ = ["trusted"]


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return what verifies servers, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` included."""
    import httpx

    return httpx.create_ssl_context()
