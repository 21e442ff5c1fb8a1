"""What the services share at their HTTP door: who may enter, what may be said, how it is refused.

``application(routes, tokens=…)`` turns routes into an ASGI app that authenticates, narrates under
the caller's correlation id and words every refusal as ``{"error": {"code", "message"}}``;
``serve(app, …)`` turns the app into a process that binds, answers signals and ends in bounded
time. ``read_json`` and ``Fields`` turn a request body into checked values.
"""

from .application import Refusal, application
from .body import MAX_BODY_BYTES, read_json, reply
from .description import description
from .errors import ApiError
from .fields import ADDRESS, NAME, VISIBLE, Fields, Shape
from .metrics import Metrics
from .parent import watch_parent
from .server import Server, serve
from .tokens import TOKEN_VARIABLE, MissingToken, Tokens, owner_of

__all__ = [
    "ADDRESS",
    "MAX_BODY_BYTES",
    "NAME",
    "TOKEN_VARIABLE",
    "VISIBLE",
    "ApiError",
    "Fields",
    "Metrics",
    "MissingToken",
    "Refusal",
    "Server",
    "Shape",
    "Tokens",
    "application",
    "description",
    "owner_of",
    "read_json",
    "reply",
    "serve",
    "watch_parent",
]
