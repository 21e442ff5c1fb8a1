"""Expectations on sequences of events, immutable and composed with operators.

``event(action="tokenize") >> event(action="inference_complete")`` reads "then". Python binds
``~`` tightest, then ``*``, ``>>``, ``&``, ``|``. A pattern keeps no state: every use of one begins
a matching of its own (:mod:`.steps`), so one pattern serves any number of waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, NoReturn

from ..event import Event
from ..recorder import Record, Where
from . import compound, steps, timed
from .run import Run

__all__ = ["All", "Clock", "Either", "Not", "Pattern", "Single", "Then", "Times", "Within", "event"]

Clock = Literal["arrival", "timestamp"]
"""What ``within`` measures: when lines arrived here, or what the emitters' clocks said."""


class Pattern:
    """What all patterns can do."""

    binding: ClassVar[int] = 9
    """How tightly the operator that writes it binds; decides on parentheses."""
    is_absence: ClassVar[bool] = False
    """Whether it guards what follows it instead of being waited for."""

    @property
    def is_instant(self) -> bool:
        """Whether one event meets it, so that it can be said to happen at an event."""
        return False

    def start(self) -> Run:
        """Begin a matching."""
        return Run(self.leaves(), self.begin(None))

    def begin(self, previous: Record | None) -> steps.Step:
        """Begin a matching right after ``previous``, or at the start of what is observed."""
        raise NotImplementedError

    def leaves(self) -> Iterator[Where]:
        """Yield the conditions on single events that it is made of."""
        raise NotImplementedError

    def __rshift__(self, other: Pattern) -> Pattern:
        return Then(*_parts(Then, self), *_parts(Then, _pattern(other, ">>")))

    def __and__(self, other: Pattern) -> Pattern:
        return All(*_parts(All, self), *_parts(All, _pattern(other, "&")))

    def __or__(self, other: Pattern) -> Pattern:
        return Either(*_parts(Either, self), *_parts(Either, _pattern(other, "|")))

    def __invert__(self) -> Pattern:
        return Not(self)

    def __mul__(self, times: int) -> Pattern:
        return Times(self, times)

    __rmul__ = __mul__

    def never(self) -> Pattern:
        """Return ``~self``: it does not come, before what follows it or until the end."""
        return ~self

    def within(self, seconds: float, *, by: Clock = "arrival") -> Pattern:
        """Return the pattern with a time limit.

        In ``a >> b.within(2)`` the time runs from the event before; elsewhere, as in
        ``(a >> b).within(2)``, from the first event that belongs to it.
        """
        return Within(self, seconds, by)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is an expectation, not a truth value: "
            "combine patterns with >> & | ~, and ask recorder.match(pattern)"
        )

    def shown_in(self, binding: int) -> str:
        """Return the pattern as written inside an operator that binds so tightly."""
        return f"({self!r})" if self.binding <= binding else repr(self)


class Single(Pattern):
    """One event that meets conditions; made by :func:`event`."""

    is_instant = True

    def __init__(self, where: Where) -> None:
        self.where = where

    def begin(self, previous: Record | None) -> steps.Step:
        return steps.SingleStep(self)

    def leaves(self) -> Iterator[Where]:
        yield self.where

    def __repr__(self) -> str:
        return repr(self.where)


class _Composite(Pattern):
    sign: ClassVar[str]

    def __init__(self, *parts: Pattern) -> None:
        self.parts = parts

    def leaves(self) -> Iterator[Where]:
        for part in self.parts:
            yield from part.leaves()

    def __repr__(self) -> str:
        return f" {self.sign} ".join(part.shown_in(self.binding) for part in self.parts)


class Then(_Composite):
    """``a >> b``: b after a. In ``~x >> b`` no x comes before b."""

    binding = 5
    sign = ">>"

    def begin(self, previous: Record | None) -> steps.Step:
        return compound.ThenStep(self, previous)


class All(_Composite):
    """``a & b``: both, in any order; each judged for itself. In ``~x & b`` no x before b."""

    binding = 4
    sign = "&"

    def begin(self, previous: Record | None) -> steps.Step:
        return compound.AllStep(self, previous)


class Either(_Composite):
    """``a | b``: the one that comes first."""

    binding = 3
    sign = "|"

    @property
    def is_instant(self) -> bool:
        return all(part.is_instant for part in self.parts)

    def begin(self, previous: Record | None) -> steps.Step:
        return compound.EitherStep(self, previous)


class _Wrapping(Pattern):
    inner: Pattern

    def leaves(self) -> Iterator[Where]:
        return self.inner.leaves()


class Not(_Wrapping):
    """``~a``: a does not come before what follows, or before the end of the observation."""

    binding = 8
    is_absence = True

    def __init__(self, inner: Pattern) -> None:
        self.inner = inner

    def begin(self, previous: Record | None) -> steps.Step:
        return steps.NotStep(self, previous)

    def __invert__(self) -> Pattern:
        return self.inner

    def __repr__(self) -> str:
        return f"~{self.inner.shown_in(self.binding)}"


class Times(_Wrapping):
    """``a * 3``: three times, one after the other; more is not forbidden."""

    binding = 6

    def __init__(self, inner: Pattern, times: int) -> None:
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ValueError(f"{inner!r} * {times!r}: how often is a whole number from 1")
        if isinstance(inner, Not):
            raise ValueError(f"({inner!r}) * {times}: an absence cannot be counted")
        self.inner = inner
        self.times = times

    def begin(self, previous: Record | None) -> steps.Step:
        return steps.TimesStep(self, previous)

    def __repr__(self) -> str:
        return f"{self.inner.shown_in(self.binding)} * {self.times}"


class Within(_Wrapping):
    """``a.within(2)``: a with a time limit in seconds."""

    def __init__(self, inner: Pattern, seconds: float, by: Clock = "arrival") -> None:
        if not seconds > 0:
            raise ValueError(f"within({seconds!r}): seconds are greater than 0")
        if by not in ("arrival", "timestamp"):
            raise ValueError(f"within(by={by!r}): choose 'arrival' or 'timestamp'")
        self.inner = inner
        self.seconds = seconds
        self.by = by

    def begin(self, previous: Record | None) -> steps.Step:
        if previous is None:
            return timed.WindowStep(self)
        return timed.LimitStep(self, previous)

    def __repr__(self) -> str:
        by = "" if self.by == "arrival" else f", by={self.by!r}"
        return f"{self.inner.shown_in(steps.CALL)}.within({self.seconds:g}{by})"


def event(predicate: Callable[[Event], bool] | None = None, /, **conditions: Any) -> Pattern:
    """Expect one event that meets every condition.

    :param predicate: a function of the event, beside or instead of keywords.
    :param conditions: columns of :class:`~pytest_narration.event.Event`, extra fields (a name
        with dots walks into nested ones), and ``channel``, ``source``, ``stream`` of the
        sighting. Values are equal, or matchers of :mod:`.matchers`.
    """
    return Single(Where(conditions, predicate=predicate))


def _pattern(value: Any, sign: str) -> Pattern:
    if isinstance(value, Pattern):
        return value
    raise TypeError(f"{sign} takes a pattern such as event(action=...), not {value!r}")


def _parts(kind: type[_Composite], pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.parts if isinstance(pattern, kind) else (pattern,)
