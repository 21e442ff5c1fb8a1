"""What a rule says: a violation, a doubt or a note; and the verdict made of them.

A rule yields the first three about the evidence it is given; :func:`~pytest_narration.rules.check`
turns them into one :class:`Verdict` per rule, which the report, the plugin and tests read.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..event import Event

__all__ = ["Doubt", "Exempted", "Finding", "Level", "Note", "Outcome", "Verdict", "Violation"]

Outcome = Literal["held", "broken", "inconclusive"]
"""``inconclusive`` is not ``held``: what the rule needed to see was not all there."""

Level = Literal["error", "warn"]
"""Whether a verdict that is not ``held`` fails the test or is only shown."""


class Violation(msgspec.Struct, frozen=True):
    """One broken instance of a rule, with the evidence for it."""

    title: str
    """One sentence: what is wrong, between whom."""
    evidence: tuple[str, ...] = ()
    """Lines that prove it, most telling first."""
    events: tuple[Event, ...] = ()
    """The events at fault; an exemption must cover them all."""
    hop: str = ""
    """Between whom it happened: ``"between orchestrator and pool-manager"``."""
    hint: str = ""
    """How to fix it; the rule's own hint unless a violation knows better."""
    rule: str = ""
    """The rule's id; filled in by the check."""
    source: str = ""
    """The source or client at fault, where there is no event to blame."""


class Doubt(msgspec.Struct, frozen=True):
    """Why a rule cannot be judged."""

    why: str
    source: str = ""
    """The source that did not deliver."""


class Note(msgspec.Struct, frozen=True):
    """What a reader must know to read ``held`` rightly, such as that nothing was to be judged."""

    text: str


Finding = Violation | Doubt | Note
"""What a rule may yield."""


class Exempted(msgspec.Struct, frozen=True):
    """A violation or a doubt that the project allows, and why."""

    finding: Violation | Doubt
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """What one rule says about the evidence."""

    rule: str
    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()
    exempted: tuple[Exempted, ...] = ()
    level: Level = "error"
    title: str = ""
    """The rule's title: the property that holds."""
    hint: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether a test with this verdict must fail."""
        return self.outcome != "held" and self.level == "error"

    def __str__(self) -> str:
        """Return the text of a failure, or one line when the rule held."""
        from .report import told

        return told(self)
