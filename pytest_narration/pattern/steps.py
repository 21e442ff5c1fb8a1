"""The moving half of patterns: how far one matching of each kind of pattern has come.

A step is fed the records that hit one of the pattern's conditions, in order, until it is met or
has failed. Steps are private to one matching; :mod:`.nodes` make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..recorder import Record, Silence, State, Where

if TYPE_CHECKING:
    from .nodes import Not, Pattern, Single, Times

__all__ = ["NotStep", "SingleStep", "Step", "TimesStep", "told"]


CALL = 8
"""How tightly a method call binds what it is called on; see ``Pattern.binding``."""


class Step:
    """What all steps can do; the base is a step that only records can move."""

    def __init__(self, node: Pattern) -> None:
        self.node = node
        self.state: State = "open"
        self.records: tuple[Record, ...] = ()
        self.reason = ""

    @property
    def is_open(self) -> bool:
        """Whether it is neither met nor failed."""
        return self.state == "open"

    def feed(self, record: Record, hits: set[Where]) -> None:
        """Take the next record, which meets the conditions ``hits``."""
        raise NotImplementedError

    def tick(self, now: float) -> None:
        """Take note that all that arrived before ``now`` has been fed."""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` may end it."""
        return None

    def finish(self) -> None:
        """Take note that nothing more comes."""

    def remaining(self) -> str:
        """Return what is still needed."""
        return repr(self.node)

    def awaited(self) -> list[Where]:
        """Return the conditions whose events would move it on."""
        return list(self.node.leaves())

    def is_hopeless(self, silence: Silence) -> bool:
        """Say whether only dead emitters could still meet it."""
        return False

    def binding(self) -> int:
        """Return how tightly the outermost operator of :meth:`remaining` binds."""
        return self.node.binding

    def shown_in(self, binding: int) -> str:
        """Return :meth:`remaining` as written inside an operator that binds so tightly."""
        text = self.remaining()
        return f"({text})" if self.binding() <= binding else text

    def meet(self, *records: Record) -> None:
        self.state, self.records = "met", records or self.records

    def fail(self, reason: str) -> None:
        self.state, self.reason = "failed", reason


class SingleStep(Step):
    node: Single

    def feed(self, record: Record, hits: set[Where]) -> None:
        if self.node.where in hits:
            self.meet(record)

    def is_hopeless(self, silence: Silence) -> bool:
        return silence.covers(self.node.where.conditions)


class NotStep(Step):
    node: Not

    def __init__(self, node: Not, previous: Record | None) -> None:
        super().__init__(node)
        self._inner = node.inner.begin(previous)

    def feed(self, record: Record, hits: set[Where]) -> None:
        self._inner.feed(record, hits)
        self._judge(told(record))

    def _judge(self, what: str) -> None:
        if self._inner.state == "met":
            self.fail(f"{self.node.inner!r} came ({what})")
        elif self._inner.state == "failed":
            self.meet()

    def tick(self, now: float) -> None:
        self._inner.tick(now)
        self._judge("in time")

    def deadline(self) -> float | None:
        return self._inner.deadline()

    def finish(self) -> None:
        self._inner.finish()
        self._judge("at the end of the observation")
        if self.is_open:
            self.meet()

    def awaited(self) -> list[Where]:
        return []


class TimesStep(Step):
    node: Times

    def __init__(self, node: Times, previous: Record | None) -> None:
        super().__init__(node)
        self._left = node.times
        self._done: tuple[Record, ...] = ()
        self._current = node.inner.begin(previous)

    def feed(self, record: Record, hits: set[Where]) -> None:
        self._current.feed(record, hits)
        self._judge(record)

    def _judge(self, record: Record | None) -> None:
        if self._current.state == "failed":
            self.fail(self._current.reason)
        self.records = self._done + self._current.records
        if self._current.state == "met":
            self._done = self.records
            self._left -= 1
            if self._left:
                self._current = self.node.inner.begin(record)
            else:
                self.meet()

    def tick(self, now: float) -> None:
        self._current.tick(now)
        self._judge(None)

    def deadline(self) -> float | None:
        return self._current.deadline()

    def finish(self) -> None:
        if self._left == 1:
            self._current.finish()
            self._judge(None)

    def remaining(self) -> str:
        came = self.node.times - self._left
        seen = f" ({came} of {self.node.times} came)" if came else ""
        return f"{self.node.inner.shown_in(self.node.binding)} * {self._left}{seen}"

    def awaited(self) -> list[Where]:
        return self._current.awaited()

    def is_hopeless(self, silence: Silence) -> bool:
        return self._current.is_hopeless(silence)


def told(record: Record) -> str:
    """Return a record in half a line: ``worker tokenizer tokenize "Tokenized 7 tokens"``."""
    event = record.event
    words = [w for w in (event.service or record.source, event.actor, event.action) if w]
    human = event.human if len(event.human) <= 60 else event.human[:59] + "…"
    return " ".join([*words, f'"{human}"'] if human else words)
