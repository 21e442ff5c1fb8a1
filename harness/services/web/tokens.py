"""Bearer tokens: the environment's secrets become a yes or no, and the owner of what is made.

``NARRATION_API_TOKEN`` opens everything and is what services show each other;
``NARRATION_CLIENT_TOKENS`` is an optional comma-separated list that opens what is meant for
clients. Only digests are kept, so a dump of the process or of a job shows no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, MutableMapping
from typing import Any

__all__ = ["TOKEN_VARIABLE", "MissingToken", "Tokens", "owner_of"]

TOKEN_VARIABLE = "NARRATION_API_TOKEN"  # noqa: S105 - the name of a variable
CLIENTS_VARIABLE = "NARRATION_CLIENT_TOKENS"
_SCOPE_KEY = "narration.owner"


class MissingToken(Exception):
    """The service has no token to compare with, so it must not start."""

    def __init__(self) -> None:
        super().__init__(
            f"{TOKEN_VARIABLE} is not set or empty. Every service of the cluster needs it: "
            f"export {TOKEN_VARIABLE}=$(python3 -c 'import secrets; print(secrets.token_hex(32))')"
        )


class Tokens:
    """The tokens that open this service.

    :param service: what services show each other; :attr:`service` is sent to the next hop.
    :param clients: further tokens, for clients only.
    """

    def __init__(self, service: str, clients: tuple[str, ...] = ()) -> None:
        if not service.strip():
            raise MissingToken
        self.service = service.strip()
        self._digests = tuple(_digest(token) for token in (self.service, *clients))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Tokens:
        """Read the variables.

        :raises MissingToken: ``NARRATION_API_TOKEN`` is absent or blank.
        """
        clients = (token.strip() for token in environ.get(CLIENTS_VARIABLE, "").split(","))
        return cls(environ.get(TOKEN_VARIABLE, ""), tuple(token for token in clients if token))

    @property
    def authorization(self) -> dict[str, str]:
        """The header that opens the next service."""
        return {"Authorization": f"Bearer {self.service}"}

    def owner(self, authorization: str) -> str | None:
        """Return the digest of the token that the header shows, ``None`` when none fits.

        Every known token is compared, each in constant time, so the time taken says nothing.
        """
        scheme, _, shown = authorization.partition(" ")
        digest = _digest(shown.strip())
        found = None
        for known in self._digests:
            if hmac.compare_digest(known, digest):
                found = known
        return found if scheme.lower() == "bearer" else None

    def is_service(self, owner: str) -> bool:
        """Tell whether this owner shows the token that services show each other."""
        return hmac.compare_digest(owner, self._digests[0])


def owner_of(scope: MutableMapping[str, Any]) -> str:
    """Return the digest of the token that an authenticated request showed."""
    owner: str = scope[_SCOPE_KEY]
    return owner


def remember_owner(scope: MutableMapping[str, Any], owner: str) -> None:
    """Keep the owner with the request, for :func:`owner_of`."""
    scope[_SCOPE_KEY] = owner


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
