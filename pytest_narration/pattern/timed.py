"""Time limits: steps that end when the clock says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..recorder import Record, Silence, Where
from .clock import moment
from .steps import CALL, Step, told

if TYPE_CHECKING:
    from .nodes import Within

__all__ = ["LimitStep", "WindowStep"]


class LimitStep(Step):
    """``a >> b.within(2)``: the time runs from the event before, and running out is a failure."""

    node: Within

    def __init__(self, node: Within, previous: Record) -> None:
        super().__init__(node)
        self._previous = previous
        self._began = moment(previous, node.by)
        self._inner = node.inner.begin(previous)

    def feed(self, record: Record, hits: set[Where]) -> None:
        self._inner.feed(record, hits)
        elapsed = moment(record, self.node.by) - self._began
        if self._inner.state == "failed":
            self.fail(self._inner.reason)
        elif elapsed > self.node.seconds and (
            self._inner.state == "met" or self.node.by == "arrival"
        ):
            self._late(f"came {elapsed:.3g} s after" if self._inner.state == "met" else "")
        elif self._inner.state == "met":
            self.meet(*self._inner.records)

    def _late(self, came: str) -> None:
        came = came or f"did not come within {self.node.seconds:g} s of"
        allowed = f", {self.node.seconds:g} s allowed" if came.startswith("came") else ""
        self.fail(f"{self.node.inner!r} {came} {told(self._previous)}{allowed}")

    def tick(self, now: float) -> None:
        self._inner.tick(now)
        if self._inner.state == "failed":
            self.fail(self._inner.reason)
        elif self.node.by == "arrival" and now > self._began + self.node.seconds:
            self._late("")

    def deadline(self) -> float | None:
        return self._began + self.node.seconds if self.node.by == "arrival" else None

    def finish(self) -> None:
        self._inner.finish()
        if self._inner.state == "met":
            self.meet(*self._inner.records)

    def remaining(self) -> str:
        by = "" if self.node.by == "arrival" else f", by={self.node.by!r}"
        return f"{self._inner.shown_in(CALL)}.within({self.node.seconds:g}{by})"

    def awaited(self) -> list[Where]:
        return self._inner.awaited()

    def is_hopeless(self, silence: Silence) -> bool:
        return self._inner.is_hopeless(silence)


class WindowStep(Step):
    """``(a >> b).within(2)``: somewhere, all of it happens within the time.

    Every event that could be the first begins an attempt. Of attempts that need the same to be
    completed only the youngest is kept: it has the most time left.
    """

    node: Within

    def __init__(self, node: Within) -> None:
        super().__init__(node)
        self._attempts: dict[str, tuple[float, Step]] = {}

    def feed(self, record: Record, hits: set[Where]) -> None:
        now = moment(record, self.node.by)
        candidates = [
            attempt
            for attempt in self._attempts.values()
            if abs(now - attempt[0]) <= self.node.seconds
        ]
        candidates.append((now, self.node.inner.begin(None)))
        self._attempts = {}
        # The oldest first, so that a younger one of the same state takes its place.
        for began, step in sorted(candidates, key=lambda attempt: attempt[0]):
            step.feed(record, hits)
            if step.state == "met":
                self.meet(*step.records)
                return
            if step.state == "open" and step.records:
                self._attempts[step.remaining()] = (began, step)
        self.records = next((s.records for _, s in self._attempts.values()), ())

    def remaining(self) -> str:
        return repr(self.node)

    def awaited(self) -> list[Where]:
        attempts = [step for _, step in self._attempts.values()]
        nearest = attempts or [self.node.inner.begin(None)]
        return list(dict.fromkeys(where for step in nearest for where in step.awaited()))

    def is_hopeless(self, silence: Silence) -> bool:
        return self.node.inner.begin(None).is_hopeless(silence)
