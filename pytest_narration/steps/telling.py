"""A scenario that failed -> its steps so far, the one that failed and why, and those after it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_bdd.parser import Feature, Scenario, Step

__all__ = ["Course"]

_SHOWN_SECONDS = 0.1


@dataclass
class Course:
    """How far a scenario has come."""

    feature: Feature
    scenario: Scenario
    root: Path
    """Folder that the feature's path is shown from."""
    position: int = -1
    """Index of the step that runs."""
    seconds: list[float] = field(default_factory=list)
    """How long the steps before it took."""
    failure: BaseException | None = None
    is_phrase: bool = False
    """Whether the step that runs is a phrase of the library."""
    _began: float = 0.0

    @property
    def path(self) -> str:
        """The feature's file."""
        path = Path(self.feature.filename)
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def begin(self, *, is_phrase: bool = False) -> None:
        """Take note that the next step begins."""
        self.position += 1
        self.is_phrase = is_phrase
        self._began = time.perf_counter()

    def passed(self) -> None:
        """Take note that it is done."""
        self.seconds.append(time.perf_counter() - self._began)

    def failed(self, failure: BaseException) -> None:
        """Take note that it failed."""
        self.failure = failure

    def told(self) -> str:
        """Return the scenario with a mark before each step, and why below the one that failed."""
        name = f"{self.scenario.keyword}: {self.scenario.name}"
        line = f"{self.path}:{self.scenario.line_number}"
        told = [f"Feature: {self.feature.name}", f"  {name}  ({line})"]
        for number, step in enumerate(self.scenario.steps):
            told += self._step(number, step)
        return "\n".join(told)

    def _step(self, number: int, step: Step) -> list[str]:
        text = f"{step.keyword.strip()} {step.name}"
        if number < len(self.seconds):
            took = self.seconds[number]
            return [f"    ✓ {text}" + (f"  ({took:.1f} s)" if took >= _SHOWN_SECONDS else "")]
        if number > self.position:
            return [f"    - {text}"]
        return [f"    ✗ {text}  (line {step.line_number})", *_below(step), *self._reason()]

    def _reason(self) -> list[str]:
        if self.failure is None:
            return []
        # The whole of it stands above, where pytest shows what was raised.
        first = (str(self.failure) or type(self.failure).__name__).partition("\n")[0]
        return [f"        {first}"]


def _below(step: Step) -> list[str]:
    """Return the table or the text of a step as it stands in the file."""
    lines: list[str] = []
    if step.datatable is not None:
        rows = [[str(cell) for cell in row] for row in step.datatable.raw()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |"
            for row in rows
        ]
    if step.docstring is not None:
        lines += ['"""', *step.docstring.splitlines(), '"""']
    return [f"          {line}".rstrip() for line in lines]
