"""``NARRATION_VALIDATE`` -> what judges each event by its contract, at the call that narrates it.

``strict``, for CI, raises :class:`~pytest_narration.errors.ContractBroken` in the caller, after
the line was written: the evidence stays. ``warn`` narrates ``contract_broken`` once for each call
site and kind of breach. ``off``, the default, never imports this module.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

    contracts = find()
    return ((_Strict if mode == "strict" else _Warn)(contracts),)


class _Check:
    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    def __call__(self, line: bytes, context: Context | None) -> None:
        fields = _decode(line)
        if fields.get("action") == BREACH:
            return
        problems = self._contracts.problems(fields)
        if problems:
            self._tell(fields, problems, _call_site())

    def _tell(self, fields: dict[str, Any], problems: list[Problem], where: str) -> None:
        raise NotImplementedError


class _Strict(_Check):
    def _tell(self, fields: dict[str, Any], problems: list[Problem], where: str) -> None:
        told = "".join(f"\n  {problem}" for problem in problems)
        raise ContractBroken(
            f"{where} narrated {fields.get('action')!r} outside of its contract:{told}"
        )


class _Warn(_Check):
    def __init__(self, contracts: Contracts) -> None:
        super().__init__(contracts)
        self._told: set[tuple[str, ...]] = set()

    def _tell(self, fields: dict[str, Any], problems: list[Problem], where: str) -> None:
        from .process import narrate

        kind = (where, *(f"{problem.path} {problem.rule}" for problem in problems))
        if kind in self._told:
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(kind)
        narrate(
            "contract_broken",
            "{broken_action} at {where} breaks its contract: {problem}",
            actor="narrator",
            level="warn",
            sse=False,
            broken_action=fields.get("action"),
            where=where,
            problem=str(problems[0]),
            problems=len(problems),
        )


def _call_site() -> str:
    """Return ``file:line`` of the nearest caller outside of this package's emit."""
    frame = sys._getframe(1)
    own = __name__.rpartition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(own):
        frame = frame.f_back
    path, here = Path(frame.f_code.co_filename), Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{frame.f_lineno}"
