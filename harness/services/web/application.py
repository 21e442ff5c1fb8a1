"""Routes -> one ASGI application: narrated, authenticated, every refusal in the same envelope.

From the outside in: the narration middleware gives the request its correlation id; the door
compares tokens; Starlette's router routes; what a handler raises becomes an answer. So a refusal
at any of these places still echoes the correlation id and can be narrated.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_narration.emit import NarrationMiddleware

from .errors import ApiError
from .protocol import MALFORMED
from .tokens import Tokens, remember_owner

__all__ = ["Refusal", "application"]


class Refusal(NamedTuple):
    """A request that was answered with an error."""

    method: str
    path: str
    status: int
    code: str
    message: str


OnRefusal = Callable[[Refusal], None]


def application(
    routes: Sequence[BaseRoute],
    *,
    tokens: Tokens,
    public: frozenset[str] = frozenset({"/health", "/openapi.json"}),
    services_only: tuple[str, ...] = ("/v2/",),
    on_refusal: OnRefusal | None = None,
) -> ASGIApp:
    """Build the application.

    :param public: paths that need no token.
    :param services_only: path prefixes that clients' tokens do not open.
    :param on_refusal: called inside the request's narration context for every 4xx and 5xx that
        this application words.
    """
    # A trailing slash is another path: a redirect would drop the body of a POST.
    router = Router(routes, redirect_slashes=False)
    door = _Door(router, tokens, public, services_only)
    return NarrationMiddleware(_Answers(door, on_refusal))


class _Door:
    """Lets a request in when its token fits."""

    def __init__(
        self, app: ASGIApp, tokens: Tokens, public: frozenset[str], services_only: tuple[str, ...]
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._public = public
        self._services_only = services_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._public:
            self._admit(scope)
        # With an application in its scope the router raises its 404 and 405 instead of sending.
        scope["app"] = self
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        header = shown[0].decode("latin-1") if len(shown) == 1 else ""
        owner = self._tokens.owner(header)
        if owner is None:
            why = "the bearer token is wrong" if shown else "a bearer token is needed"
            raise ApiError("unauthorized", why, headers={"WWW-Authenticate": "Bearer"})
        if scope["path"].startswith(self._services_only) and not self._tokens.is_service(owner):
            raise ApiError("forbidden", "this is open to the cluster's own services only")
        remember_owner(scope, owner)


class _Answers:
    """Turns what is raised into the envelope, and tells the service about it."""

    def __init__(self, app: ASGIApp, on_refusal: OnRefusal | None) -> None:
        self._app = app
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if MALFORMED in scope:
                raise ApiError("invalid_request", scope[MALFORMED])
            await self._app(scope, receive, watched)
        except ApiError as error:
            refusal: ApiError = error
        except HTTPException as error:
            refusal = _as_api_error(scope, error)
        except Exception:  # a handler's bug: the caller gets an answer, the log the traceback
            traceback.print_exc(file=sys.stderr)
            refusal = ApiError("internal_error", "the service failed; its log says why")
        else:
            return
        self._tell(scope, refusal)
        if not started:
            await refusal.response()(scope, receive, send)

    def _tell(self, scope: Scope, error: ApiError) -> None:
        if self._on_refusal is not None:
            path = scope["path"][:120]
            told = Refusal(scope["method"][:16], path, error.status, error.code, error.message)
            self._on_refusal(told)


def _as_api_error(scope: Scope, error: HTTPException) -> ApiError:
    where = f"{scope['method'][:16]} {scope['path'][:120]}"
    if error.status_code == 404:
        return ApiError("not_found", f"there is no {where}")
    if error.status_code == 405:
        return ApiError("method_not_allowed", f"{where} is not possible", headers=error.headers)
    return ApiError("invalid_request", str(error.detail)[:200])
