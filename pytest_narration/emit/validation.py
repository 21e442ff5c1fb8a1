"""``NARRATION_VALIDATE`` -> what judges each event by its contract, at the call that narrates it.

Both modes narrate ``contract_broken`` once for each call site and kind of breach: ``warn`` at
warn, ``strict``, for CI, at error. ``strict`` then raises
:class:`~pytest_narration.errors.ContractBroken` in the caller; the lines were written, so the
evidence stays, also where a framework swallows the exception. ``off``, the default, never imports
this module.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import msgspec

from ..errors import ConfigurationError, ContractBroken

if TYPE_CHECKING:
    from ..contracts import Contracts, Problem
    from .context import Context
    from .narrator import Subscriber

__all__ = ["MODES", "checks"]

MODES: Final = ("strict", "warn", "off")
BREACH: Final = "contract_broken"
"""The action of the event that tells of a breach, which is not judged itself."""
_REMEMBERED: Final = 1024
"""How many breaches are remembered, so that each is told once."""
_WRAPPERS: Final = 8
"""How far from the call an action is looked for."""

_decode = msgspec.json.Decoder().decode


def checks(mode: str) -> tuple[Subscriber, ...]:
    """Return what a narrator calls for each event.

    :raises ConfigurationError: the mode, or the project's table of contracts, is wrong.
    """
    if mode not in MODES:
        raise ConfigurationError(
            f"NARRATION_VALIDATE is {mode!r}; choose one of {', '.join(MODES)}"
        )
    if mode == "off":
        return ()
    from ..contracts import find

    return (_Check(find(), is_strict=mode == "strict"),)


class _Check:
    """Judges lines; one for each process.

    :param is_strict: raise in the caller.
    """

    def __init__(self, contracts: Contracts, *, is_strict: bool) -> None:
        self._contracts = contracts
        self._is_strict = is_strict
        self._told: set[tuple[str, ...]] = set()

    def __call__(self, line: bytes, context: Context | None) -> None:
        fields = _decode(line)
        if fields.get("action") == BREACH:
            return
        problems = self._contracts.problems(fields)
        if not problems:
            return
        where = _call_site(fields.get("action"))
        self._narrate(fields.get("action"), where, problems)
        if self._is_strict:
            told = "".join(f"\n  {problem}" for problem in problems)
            name = fields.get("action")
            raise ContractBroken(f"{where} narrated {name!r} outside of its contract:{told}")

    def _narrate(self, action: object, where: str, problems: list[Problem]) -> None:
        from .process import narrate

        kind = (where, *(f"{problem.path} {problem.rule}" for problem in problems))
        if kind in self._told:
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(kind)
        narrate(
            "contract_broken",
            "{where}: {broken_action} breaks its contract: {place} [{rule}]",
            actor="narrator",
            level="error" if self._is_strict else "warn",
            sse=False,
            broken_action=action,
            where=where,
            place=problems[0].path or "the event",
            rule=problems[0].rule,
            problem=str(problems[0]),
            problems=len(problems),
        )


def _call_site(action: object) -> str:
    """Return ``file:line`` of the call that narrates.

    It is the nearest outside of this package's emit, or the nearest of those around it whose code
    names the action: a function that hands actions on is no place to look at.
    """
    frame: FrameType | None = sys._getframe(1)
    own = __name__.rpartition(".")[0]
    while frame is not None and frame.f_globals.get("__name__", "").startswith(own):
        frame = frame.f_back
    assert frame is not None, "whoever narrates is no part of emit"
    around = list(itertools.islice(_outward(frame), _WRAPPERS))
    frame = next((f for f in around if action in f.f_code.co_consts), frame)
    path, here = Path(frame.f_code.co_filename), Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{frame.f_lineno}"


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
