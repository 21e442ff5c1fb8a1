"""The moving half of the temporal properties: what is owed, and what broke it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..recorder import Record, Silence, Where
from .steps import Step, told

if TYPE_CHECKING:
    from .nodes import Pattern
    from .temporal import Bounded, Precedence, Response, Scoped

__all__ = ["BoundStep", "PrecedenceStep", "ResponseStep", "ScopeStep"]


def _is_hit(pattern: Pattern, hits: set[Where]) -> bool:
    return not hits.isdisjoint(pattern.leaves())


def _of(key: Any, per: str | None) -> str:
    return "" if per is None else f" of {per}={key!r}"


class BoundStep(Step):
    node: Bounded

    def __init__(self, node: Bounded) -> None:
        super().__init__(node)
        self._came = 0

    def feed(self, record: Record, hits: set[Where]) -> None:
        if not _is_hit(self.node.pattern, hits):
            return
        self._came += 1
        node = self.node
        if node.at_most is not None and self._came > node.at_most:
            self.fail(
                f"{node.pattern!r} came {self._came} times, {node.at_most} allowed ({told(record)})"
            )
        elif self._came <= node.at_least:
            self.records += (record,)
            if node.at_most is None and self._came == node.at_least:
                self.meet()

    def finish(self) -> None:
        if self._came >= self.node.at_least:
            self.meet()

    def remaining(self) -> str:
        return f"{self.node!r} ({self._came} came)"

    def is_hopeless(self, silence: Silence) -> bool:
        return self._came < self.node.at_least and all(
            silence.covers(where.conditions) for where in self.node.leaves()
        )


class ResponseStep(Step):
    node: Response

    def __init__(self, node: Response) -> None:
        super().__init__(node)
        self._owed: dict[Any, list[Record]] = {}

    def feed(self, record: Record, hits: set[Where]) -> None:
        node = self.node
        key = record.event.field(node.per) if node.per is not None else None
        self._expire(record.at)
        if self.state == "failed":
            return
        if _is_hit(node.trigger, hits):
            self._owed.setdefault(key, []).append(record)
        if _is_hit(node.answer, hits):
            self._owed.pop(key, None)

    def _expire(self, now: float) -> None:
        seconds = self.node.seconds
        if seconds is None:
            return
        for key, owed in self._owed.items():
            if now - owed[0].at > seconds:
                self.fail(
                    f"no {self.node.answer!r}{_of(key, self.node.per)} came within"
                    f" {seconds:g} s of {told(owed[0])}"
                )
                return

    def tick(self, now: float) -> None:
        self._expire(now)

    def deadline(self) -> float | None:
        if self.node.seconds is None or not self._owed:
            return None
        return min(owed[0].at for owed in self._owed.values()) + self.node.seconds

    def finish(self) -> None:
        if not self._owed:
            self.meet()

    def remaining(self) -> str:
        if not self._owed:
            return repr(self.node)
        owed = sum(map(len, self._owed.values()))
        key, records = next(iter(self._owed.items()))
        return (
            f"{self.node.answer!r}{_of(key, self.node.per)} after {told(records[0])}"
            f" ({owed} unanswered)"
        )

    def awaited(self) -> list[Where]:
        return list(self.node.answer.leaves()) if self._owed else []

    def is_hopeless(self, silence: Silence) -> bool:
        return bool(self._owed) and all(
            silence.covers(where.conditions) for where in self.node.answer.leaves()
        )


class PrecedenceStep(Step):
    node: Precedence

    def __init__(self, node: Precedence) -> None:
        super().__init__(node)
        self._opened: set[Any] = set()

    def feed(self, record: Record, hits: set[Where]) -> None:
        node = self.node
        key = record.event.field(node.per) if node.per is not None else None
        if _is_hit(node.first, hits):
            self._opened.add(key)
        if key not in self._opened and _is_hit(node.then, hits):
            self.fail(
                f"{node.then!r} came ({told(record)}) before any {node.first!r}{_of(key, node.per)}"
            )

    def finish(self) -> None:
        self.meet()

    def awaited(self) -> list[Where]:
        return []


class ScopeStep(Step):
    node: Scoped

    def __init__(self, node: Scoped) -> None:
        super().__init__(node)
        self._inner = node.pattern.begin(None) if node.after is None else None
        self._is_over = False

    def feed(self, record: Record, hits: set[Where]) -> None:
        if self._is_over:
            return
        node = self.node
        if self._inner is None:
            assert node.after is not None
            if _is_hit(node.after, hits):
                self._inner = node.pattern.begin(record)
            return
        if node.before is not None and _is_hit(node.before, hits):
            self._close(self._inner, record)
        elif self._inner.is_open:
            self._inner.feed(record, hits)
            # A part that `before` never closes does not count, so its failure is not known yet.
            if self._inner.state == "failed" and (node.before is None or not node.closes):
                self.fail(self._inner.reason)

    def _close(self, inner: Step, record: Record) -> None:
        if inner.is_open:
            inner.finish()
        if inner.state != "met":
            why = inner.reason or f"{inner.remaining()} did not come"
            self.fail(f"{why} before {self.node.before!r} ({told(record)})")
        self._inner = None
        self._is_over = self.node.after is None

    def finish(self) -> None:
        counts = self.node.before is None or not self.node.closes
        if self._inner is None or not counts:
            self.meet()
            return
        if self._inner.is_open:
            self._inner.finish()
        if self._inner.state == "met":
            self.meet(*self._inner.records)

    def remaining(self) -> str:
        inner = "" if self._inner is None else f" ({self._inner.remaining()} is open)"
        return f"{self.node!r}{inner}"

    def awaited(self) -> list[Where]:
        return self._inner.awaited() if self._inner is not None else []
