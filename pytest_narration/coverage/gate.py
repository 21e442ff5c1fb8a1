"""``fail-under``: a figure against its minimum, exactly, and figures as text that never flatter.

Floats would let 79.995 pass as 80.00; figures are fractions and minimums decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from ..errors import ConfigurationError

__all__ = [
    "DIMENSIONS",
    "Figure",
    "Gate",
    "Judged",
    "effective_gates",
    "judge",
    "parse_gates",
    "percent_text",
]

DIMENSIONS = ("points", "channels", "correlation", "hops", "outcomes")
"""What can be measured and gated: see the page on coverage in the documentation."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Covered out of a total."""

    covered: int
    total: int

    @property
    def percent(self) -> Fraction | None:
        """Exact percentage, ``None`` when there is nothing to cover."""
        return Fraction(100 * self.covered, self.total) if self.total else None

    def __str__(self) -> str:
        return percent_text(self.percent)


@dataclass(frozen=True, slots=True)
class Gate:
    """A minimum for one dimension."""

    dimension: str
    minimum: Fraction
    text: str
    """The minimum as it was written."""

    def holds(self, figure: Figure) -> bool:
        """Whether the figure reaches the minimum; nothing to cover never reaches one above 0."""
        percent = figure.percent
        return self.minimum == 0 if percent is None else percent >= self.minimum


def parse_gates(values: Iterable[str], *, option: str = "--narration-fail-under") -> list[Gate]:
    """Read ``"80"``, ``"outcomes=50"`` and comma-separated lists of them.

    A later value replaces an earlier one of the same dimension.

    :raises ConfigurationError: not a number from 0 to 100, or an unknown dimension.
    """
    gates: dict[str, Gate] = {}
    for value in values:
        for item in value.split(","):
            dimension, equals, number = item.strip().rpartition("=")
            dimension = dimension.strip() if equals else "points"
            if dimension not in DIMENSIONS:
                raise ConfigurationError(
                    f"{option}: unknown dimension {dimension!r} in {value!r}; "
                    f"choose from {', '.join(DIMENSIONS)}"
                )
            gates[dimension] = Gate(dimension, _minimum(number.strip(), option), number.strip())
    return list(gates.values())


def effective_gates(
    given: Iterable[str], ini: Iterable[str], *, option: str = "--narration-fail-under"
) -> list[Gate]:
    """Return the gates of an ini file, except those of a dimension that the command line gives.

    :raises ConfigurationError: as :func:`parse_gates` does.
    """
    gates = parse_gates(given, option=option)
    dimensions = {gate.dimension for gate in gates}
    of_ini = parse_gates(ini, option="narration_fail_under")
    return [gate for gate in of_ini if gate.dimension not in dimensions] + gates


def _minimum(text: str, option: str) -> Fraction:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= 100):
        raise ConfigurationError(
            f"{option}: {text!r} is not a percentage; expected a number from 0 to 100, "
            f"or DIMENSION=NUMBER with {', '.join(DIMENSIONS)}"
        )
    return Fraction(number)


def percent_text(percent: Fraction | None) -> str:
    """Return two decimals, cut and not rounded: 99.999 is ``99.99%``, 0.001 is ``0.01%``."""
    if percent is None:
        return "n/a"
    hundredths = int(percent * 100)
    if percent > 0 and hundredths == 0:
        hundredths = 1
    return f"{hundredths // 100}.{hundredths % 100:02d}%"


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate, the figure it was held against, and the verdict."""

    gate: Gate
    figure: Figure
    holds: bool

    def __str__(self) -> str:
        what = "narration coverage"
        if self.gate.dimension != "points":
            what += f" of {self.gate.dimension}"
        reached = "reached" if self.holds else "not reached"
        return f"Required {what} of {self.gate.text}% {reached}. Total: {self.figure}"


def judge(gates: Iterable[Gate], figures: Mapping[str, Figure]) -> list[Judged]:
    """Hold each gate against the figure of its dimension."""
    return [Judged(g, figures[g.dimension], g.holds(figures[g.dimension])) for g in gates]
