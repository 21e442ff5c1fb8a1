"""The subcommands of ``narration`` that deal with coverage; one file each."""

from __future__ import annotations

__all__: list[str] = []
