"""How a story is told: which events, which of their sentences, under which names.

What is asked for later comes on top: a story of some actions, told again without an actor, tells
those actions without that actor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, get_args

import msgspec

from ..errors import ConfigurationError
from ..event import Event
from ..recorder import Record
from ..recorder.where import Where
from .redaction import NOTHING, Redact, Redactions

__all__ = ["MODES", "Manner", "Mode", "Only"]

Mode = Literal["human", "cute", "story"]
"""Which of an event's three sentences is said; ``human`` where it has no other."""

MODES: tuple[Mode, ...] = get_args(Mode)

Only = Mapping[str, Any] | Callable[[Event], bool]
"""Which events: columns and their values as for :meth:`Evidence.records`, or a function."""

_Test = Callable[[Event], bool]


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """See :meth:`pytest_narration.story.Story.of` for what each means."""

    mode: Mode = "human"
    redactions: Redactions = NOTHING
    tests: tuple[_Test, ...] = ()
    """All of them hold for what is told."""
    counted: bool = True

    def but(
        self,
        *,
        mode: Mode | None,
        redact: Redact | Redactions,
        only: Only | None,
        without: Only | None,
        actions: Collection[str] | None,
        counted: bool | None,
    ) -> Manner:
        """Return another manner; what is ``None`` stays.

        :raises ConfigurationError: a value is none of the choices.
        """
        if mode is not None and mode not in MODES:
            raise ConfigurationError(f"mode={mode!r}: choose one of {', '.join(MODES)}")
        return Manner(
            mode=mode or self.mode,
            redactions=self.redactions
            | (redact if isinstance(redact, Redactions) else Redactions.of(redact)),
            tests=(*self.tests, *_tests(only, without, actions)),
            counted=self.counted if counted is None else counted,
        )

    @property
    def shown(self) -> _Test | None:
        """What says which events are told; ``None`` for all."""
        tests = self.tests
        if len(tests) < 2:
            return tests[0] if tests else None
        return lambda event: all(test(event) for test in tests)


def _tests(only: Only | None, without: Only | None, actions: Collection[str] | None) -> list[_Test]:
    tests: list[_Test] = []
    if isinstance(actions, str):
        raise ConfigurationError(f"actions={actions!r}: expected a set, such as {{{actions!r}}}")
    if actions is not None:
        named = frozenset(actions)
        tests.append(lambda event: event.action in named)
    if only is not None:
        tests.append(_test(only))
    if without is not None:
        unwanted = _test(without)
        tests.append(lambda event: not unwanted(event))
    return tests


def _test(condition: Only) -> _Test:
    if not isinstance(condition, Mapping):
        return condition
    where = Where(dict(condition))
    return lambda event: where.matches(Record(event, 0, 0.0))
