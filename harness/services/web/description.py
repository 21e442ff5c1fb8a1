"""An ``openapi.json`` beside a service's code -> the route that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["description"]


def description(folder: Path) -> Route:
    """Return ``GET /openapi.json``; the file is read and checked to be JSON now."""
    document: Any = msgspec.json.decode((folder / "openapi.json").read_bytes())
    shown = msgspec.json.encode(document)

    async def show(request: Request) -> Response:
        return Response(shown, media_type="application/json")

    return Route("/openapi.json", show, methods=["GET"])
