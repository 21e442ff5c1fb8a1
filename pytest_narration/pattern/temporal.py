"""The usual temporal properties under their known names, and their scopes.

After M. B. Dwyer, G. S. Avrunin and J. C. Corbett, "Patterns in property specifications for
finite-state verification", ICSE 1999. Those that speak of every event (response, precedence, an
upper bound) are decided at the end of what is observed: ask ``recorder.match(...)`` after
``settle()``. As there, they hold when what they speak of never occurs; where that would hide a
test that tests nothing, add it: ``existence(a) & response(a, b)``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..recorder import Record, Where
from .nodes import Pattern
from .obligations import (
    BoundStep,
    PrecedenceStep,
    ResponseStep,
    ScopeStep,
)
from .steps import Step

__all__ = ["absence", "bounded_existence", "existence", "precedence", "response", "scoped"]


def existence(pattern: Pattern) -> Pattern:
    """It comes."""
    return pattern


def absence(pattern: Pattern) -> Pattern:
    """It does not come; the same as ``~pattern``."""
    return ~pattern


def bounded_existence(
    pattern: Pattern, *, at_least: int = 0, at_most: int | None = None
) -> Pattern:
    """It comes so many times.

    :param pattern: single events, or ``|`` of them.
    """
    if at_least < 0 or (at_most is not None and at_most < at_least):
        raise ValueError(f"no number is at least {at_least} and at most {at_most}")
    return Bounded(pattern, at_least, at_most)


def response(
    trigger: Pattern, answer: Pattern, *, within: float | None = None, per: str | None = None
) -> Pattern:
    """Every trigger is followed by an answer; one answer may serve several triggers.

    :param trigger: single events, or ``|`` of them; so is ``answer``.
    :param within: seconds from each trigger to its answer, by arrival.
    :param per: a field that trigger and answer share: ``"correlation_id"``, ``"job_id"``.
    """
    return Response(trigger, answer, within, per)


def precedence(first: Pattern, then: Pattern, *, per: str | None = None) -> Pattern:
    """``then`` never comes before ``first`` has come.

    :param per: a field that both share, as in :func:`response`.
    """
    return Precedence(first, then, per)


def scoped(
    pattern: Pattern,
    *,
    after: Pattern | None = None,
    before: Pattern | None = None,
    closes: bool = True,
) -> Pattern:
    """Demand the pattern in a part of what is observed.

    With ``after`` alone: from its first event on. With ``before`` alone: up to its first event.
    With both: between them, each time; ``closes=False`` judges a last part that ``before`` did
    not close (Dwyer's "after … until"), which otherwise does not count.
    """
    if after is None and before is None:
        raise ValueError("scoped() needs after=, before= or both")
    return Scoped(pattern, after, before, closes)


class _Property(Pattern):
    name: str

    def __init__(self, *instants: Pattern | None) -> None:
        for pattern in instants:
            if pattern is not None and not pattern.is_instant:
                raise TypeError(
                    f"{self.name} takes single events, event(...) or event(...) | event(...),"
                    f" not {pattern!r}"
                )


class Bounded(_Property):
    name = "bounded_existence"

    def __init__(self, pattern: Pattern, at_least: int, at_most: int | None) -> None:
        super().__init__(pattern)
        self.pattern = pattern
        self.at_least = at_least
        self.at_most = at_most

    def begin(self, previous: Record | None) -> Step:
        return BoundStep(self)

    def leaves(self) -> Iterator[Where]:
        return self.pattern.leaves()

    def __repr__(self) -> str:
        bounds = f"at_least={self.at_least}" if self.at_least else ""
        if self.at_most is not None:
            bounds += f"{', ' if bounds else ''}at_most={self.at_most}"
        return f"bounded_existence({self.pattern!r}, {bounds})"


class Response(_Property):
    name = "response"

    def __init__(
        self, trigger: Pattern, answer: Pattern, seconds: float | None, per: str | None
    ) -> None:
        super().__init__(trigger, answer)
        self.trigger = trigger
        self.answer = answer
        self.seconds = seconds
        self.per = per

    def begin(self, previous: Record | None) -> Step:
        return ResponseStep(self)

    def leaves(self) -> Iterator[Where]:
        yield from self.trigger.leaves()
        yield from self.answer.leaves()

    def __repr__(self) -> str:
        within = "" if self.seconds is None else f", within={self.seconds:g}"
        per = "" if self.per is None else f", per={self.per!r}"
        return f"response({self.trigger!r}, {self.answer!r}{within}{per})"


class Precedence(_Property):
    name = "precedence"

    def __init__(self, first: Pattern, then: Pattern, per: str | None) -> None:
        super().__init__(first, then)
        self.first = first
        self.then = then
        self.per = per

    def begin(self, previous: Record | None) -> Step:
        return PrecedenceStep(self)

    def leaves(self) -> Iterator[Where]:
        yield from self.first.leaves()
        yield from self.then.leaves()

    def __repr__(self) -> str:
        per = "" if self.per is None else f", per={self.per!r}"
        return f"precedence({self.first!r}, {self.then!r}{per})"


class Scoped(_Property):
    name = "scoped"

    def __init__(
        self, pattern: Pattern, after: Pattern | None, before: Pattern | None, closes: bool
    ) -> None:
        super().__init__(after, before)
        self.pattern = pattern
        self.after = after
        self.before = before
        self.closes = closes

    def begin(self, previous: Record | None) -> Step:
        return ScopeStep(self)

    def leaves(self) -> Iterator[Where]:
        for pattern in (self.pattern, self.after, self.before):
            if pattern is not None:
                yield from pattern.leaves()

    def __repr__(self) -> str:
        scope = "".join(
            f", {name}={pattern!r}"
            for name, pattern in (("after", self.after), ("before", self.before))
            if pattern is not None
        )
        return f"scoped({self.pattern!r}{scope}{'' if self.closes else ', closes=False'})"
