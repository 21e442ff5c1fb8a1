"""The moving half of ``>>``, ``&`` and ``|``: steps made of steps, and absences that guard them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..recorder import Record, Silence, Where
from .steps import Step, told

if TYPE_CHECKING:
    from .nodes import All, Either, Not, Pattern, Then

__all__ = ["AllStep", "EitherStep", "ThenStep"]


Needed: TypeAlias = "Step | Pattern"
"""A part that has begun, or one that has not."""


def _joined(node: Then | All | Either, needed: Sequence[Needed]) -> str:
    if len(needed) == 1:
        return needed[0].shown_in(0)
    return f" {node.sign} ".join(part.shown_in(node.binding) for part in needed)


def _binding(node: Then | All | Either, needed: Sequence[Needed]) -> int:
    if len(needed) != 1:
        return node.binding
    return needed[0].binding() if isinstance(needed[0], Step) else needed[0].binding


class _Guards:
    """Absences that must hold while something else is awaited."""

    def __init__(self, nodes: list[Not], previous: Record | None) -> None:
        self._nodes = nodes
        self._steps = [node.inner.begin(previous) for node in nodes]

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def broken_by(self, record: Record, hits: set[Where]) -> str:
        """Feed a record; return what came that must not come, ``""`` while all hold."""
        for node, step in zip(self._nodes, self._steps, strict=True):
            if step.is_open:
                step.feed(record, hits)
                if step.state == "met":
                    return f"{node.inner!r} came ({told(record)})"
        return ""

    def broken_at_end(self) -> str:
        """Finish; return the absence that does not hold at the end of the observation."""
        for node, step in zip(self._nodes, self._steps, strict=True):
            if step.is_open:
                step.finish()
                if step.state == "met":
                    return f"{node.inner!r} holds at the end"
        return ""

    @property
    def nodes(self) -> list[Not]:
        return self._nodes


class ThenStep(Step):
    node: Then

    def __init__(self, node: Then, previous: Record | None) -> None:
        super().__init__(node)
        self._rest = list(node.parts)
        self._done: tuple[Record, ...] = ()
        self._next(previous)

    def _next(self, previous: Record | None) -> None:
        """Enter the next stage: its absences, up to the part that they guard."""
        guards = []
        while self._rest and self._rest[0].is_absence:
            guards.append(self._rest.pop(0))
        self._guards = _Guards(guards, previous)  # type: ignore[arg-type]  # is_absence: Not
        self._current = self._rest.pop(0).begin(previous) if self._rest else None

    def feed(self, record: Record, hits: set[Where]) -> None:
        if self._current is not None:
            self._current.feed(record, hits)
            if self._moved(record):
                return
        if broken := self._guards.broken_by(record, hits):
            before = f" before {self._current.remaining()}" if self._current else ""
            self.fail(f"{broken}{before}")

    def _moved(self, record: Record) -> bool:
        current = self._current
        assert current is not None
        if current.state == "failed":
            self.fail(current.reason)
        self.records = self._done + current.records
        if current.state == "met":
            self._done = self.records
            if self._rest:
                self._next(record)
            else:
                self.meet()
        return not current.is_open

    def tick(self, now: float) -> None:
        if self._current is not None:
            self._current.tick(now)
            if self._current.state == "failed":
                self.fail(self._current.reason)

    def deadline(self) -> float | None:
        return self._current.deadline() if self._current else None

    def finish(self) -> None:
        if self._current is not None:
            self._current.finish()
            if self._current.state == "failed":
                self.fail(self._current.reason)
            elif self._current.state == "met" and all(p.is_absence for p in self._rest):
                self.meet(*self._done, *self._current.records)
        elif broken := self._guards.broken_at_end():
            self.fail(broken)
        else:
            self.meet()

    def remaining(self) -> str:
        return _joined(self.node, self._needed())

    def binding(self) -> int:
        return _binding(self.node, self._needed())

    def _needed(self) -> list[Needed]:
        current = [self._current] if self._current is not None else []
        return [*self._guards.nodes, *current, *self._rest]

    def awaited(self) -> list[Where]:
        return self._current.awaited() if self._current else []

    def is_hopeless(self, silence: Silence) -> bool:
        needed = [part.begin(None) for part in self._rest if not part.is_absence]
        if self._current is not None:
            needed.append(self._current)
        return any(step.is_hopeless(silence) for step in needed)


class AllStep(Step):
    node: All

    def __init__(self, node: All, previous: Record | None) -> None:
        super().__init__(node)
        guards = [part for part in node.parts if part.is_absence]
        self._guards = _Guards(guards, previous)  # type: ignore[arg-type]  # is_absence: Not
        self._steps = [part.begin(previous) for part in node.parts if not part.is_absence]

    def _open(self) -> list[Step]:
        return [step for step in self._steps if step.is_open]

    def feed(self, record: Record, hits: set[Where]) -> None:
        for step in self._open():
            step.feed(record, hits)
        self._judge()
        if self.is_open and (broken := self._guards.broken_by(record, hits)):
            before = " & ".join(step.shown_in(self.node.binding) for step in self._open())
            self.fail(f"{broken} before {before}" if before else broken)

    def _judge(self) -> None:
        self.records = tuple(record for step in self._steps for record in step.records)
        failed = next((step for step in self._steps if step.state == "failed"), None)
        if failed is not None:
            self.fail(failed.reason)
        elif self._steps and not self._open():
            self.meet()

    def tick(self, now: float) -> None:
        for step in self._open():
            step.tick(now)
        self._judge()

    def deadline(self) -> float | None:
        return min((d for s in self._open() if (d := s.deadline()) is not None), default=None)

    def finish(self) -> None:
        for step in self._open():
            step.finish()
        self._judge()
        if self.is_open and not self._open():
            broken = self._guards.broken_at_end()
            if broken:
                self.fail(broken)
            else:
                self.meet()

    def remaining(self) -> str:
        return _joined(self.node, [*self._guards.nodes, *self._open()])

    def binding(self) -> int:
        return _binding(self.node, [*self._guards.nodes, *self._open()])

    def awaited(self) -> list[Where]:
        return [where for step in self._open() for where in step.awaited()]

    def is_hopeless(self, silence: Silence) -> bool:
        return any(step.is_hopeless(silence) for step in self._open())


class EitherStep(Step):
    node: Either

    def __init__(self, node: Either, previous: Record | None) -> None:
        super().__init__(node)
        self._steps = [part.begin(previous) for part in node.parts]

    def _open(self) -> list[Step]:
        return [step for step in self._steps if step.is_open]

    def feed(self, record: Record, hits: set[Where]) -> None:
        for step in self._open():
            step.feed(record, hits)
        self._judge()

    def _judge(self) -> None:
        met = next((step for step in self._steps if step.state == "met"), None)
        if met is not None:
            self.meet(*met.records)
        elif not self._open():
            self.fail("; ".join(step.reason for step in self._steps))
        else:
            self.records = max((step.records for step in self._steps), key=len)

    def tick(self, now: float) -> None:
        for step in self._open():
            step.tick(now)
        self._judge()

    def deadline(self) -> float | None:
        return min((d for s in self._open() if (d := s.deadline()) is not None), default=None)

    def finish(self) -> None:
        for step in self._open():
            step.finish()
        self._judge()

    def remaining(self) -> str:
        return _joined(self.node, self._open())

    def binding(self) -> int:
        return _binding(self.node, self._open())

    def awaited(self) -> list[Where]:
        return [where for step in self._open() for where in step.awaited()]

    def is_hopeless(self, silence: Silence) -> bool:
        return all(step.is_hopeless(silence) for step in self._open())
