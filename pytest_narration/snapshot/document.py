"""A told story -> the approved form: a Markdown document, or plain text.

::

    <!-- narration story 1, full -->
    # A happy job
    (the scenario, a Mermaid diagram, a table of lines, the jobs)

The document holds what is approved and nothing else: a level that does not compare sentences does
not show them. What does not fit is counted, and a digest of it stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import msgspec

from ..story import Item, Line, Story
from ..story.plain import rows, times
from .mermaid import mermaid
from .text import cell, digest, shortened, tidy

__all__ = ["LEVELS", "MARK", "TEXT_MARK", "Form", "Level", "Manner", "columns", "document"]

Level = Literal["structure", "text", "full"]
"""What is compared: who did what in which order; also what was said; also jobs and severity."""
LEVELS: tuple[Level, ...] = get_args(Level)

Form = Literal["markdown", "text"]

MARK = "<!-- narration story 1"
"""How every document begins, with the version of the format."""
TEXT_MARK = "# narration story 1"
"""How one begins that is plain text."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a story is written down."""

    level: Level = "full"
    form: Form = "markdown"
    title: str = "Story"
    scenario: str = ""
    """The Gherkin text that it belongs to."""
    most_rows: int = 400
    """Rows of the table at most."""
    most_drawn: int = 80
    """Events of the diagram at most: above it nobody sees anything, and GitHub draws nothing."""


_USUAL = Manner()


def document(story: Story, manner: Manner = _USUAL) -> str:
    """Write a story down."""
    if manner.form == "text":
        return _text(story, manner)
    words = manner.level != "structure"
    parts = [f"{MARK}, {manner.level} -->", f"# {cell(manner.title)}"]
    if manner.scenario:
        parts.append(f"```gherkin\n{manner.scenario}\n```")
    if story.lanes:
        diagram = mermaid(story.items, story.lanes, words=words, most=manner.most_drawn)
        parts.append(f"```mermaid\n{diagram}\n```")
    parts.append("\n".join(_table(story.items, manner)))
    if manner.level == "full" and story.jobs:
        parts.append("\n".join(_jobs(story)))
    if story.problems:
        parts.append(
            "\n".join(["**Problems**", "", *(f"- {cell(p.text)}" for p in story.problems)])
        )
    return "\n\n".join(parts) + "\n"


def columns(level: Level) -> tuple[str, ...]:
    """Return the head of the table."""
    if level == "structure":
        return ("lane", "action", "channel")
    return ("lane", "action", "said", "channel", *(("job",) if level == "full" else ()))


def _table(items: Sequence[Item], manner: Manner) -> list[str]:
    head = columns(manner.level)
    told = [_row(bars, shown, manner.level) for bars, shown in rows(items)]
    kept = told[: manner.most_rows]
    drawn = [_cells(head), _cells(["---"] * len(head)), *map(_cells, kept)]
    if left := told[manner.most_rows :]:
        drawn.append(_cells([_left(left), *[""] * (len(head) - 1)]))
    return drawn


def _row(
    bars: str, shown: Line | str, level: Level, write: Callable[[str], str] = cell
) -> list[str]:
    width = len(columns(level))
    if isinstance(shown, str):
        return [f"{bars}{shown}", *[""] * (width - 1)]
    repeats = f" {times(shown.times)}" if shown.times != 1 else ""
    # A code span cannot hold a backtick, and a table ends a cell at a bar even inside of one.
    action = shortened(shown.action).replace("`", "'") or "—"
    if write is cell:
        action = action.replace("|", "\\|")
    row = [bars + write(shown.lane), f"{write(shown.actor)} `{action}`".strip() + repeats]
    if level != "structure":
        row.append(write(shown.said))
    row.append(" + ".join(shown.channels) or "—")
    if level == "full":
        severity = "" if shown.level == "info" else f" ({shown.level})"
        row[1] += severity
        row.append(write(shown.job))
    return row


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _left(left: Sequence[object]) -> str:
    return f"… {len(left)} more lines, digest {digest(repr(left))}"


def _jobs(story: Story, write: Callable[[str], str] = cell) -> list[str]:
    many = len({c for job in story.jobs for c in job.correlations}) > 1
    told = ["**Jobs**", ""]
    for job in story.jobs:
        under = f" ← {' and '.join(map(write, job.parents))}" if job.parents else ""
        of = f" ({', '.join(map(write, job.correlations))})" if many else ""
        told.append(f"- {write(job.name)}{under}{of}")
    return told


def _text(story: Story, manner: Manner) -> str:
    """One line for each row, for those who read no Markdown; two spaces part what is in it."""
    told = [f"{TEXT_MARK}, {manner.level}", f"# {tidy(manner.title)}"]
    if manner.scenario:
        told += [f"#   {line}" for line in manner.scenario.splitlines()]
    table = [_row(bars, shown, manner.level, shortened) for bars, shown in rows(story.items)]
    kept = ["  ".join(value for value in row if value) for row in table[: manner.most_rows]]
    if left := table[manner.most_rows :]:
        kept.append(_left(left))
    told += kept
    if manner.level == "full":
        told += _jobs(story, shortened)[2:]
    told += [f"! {shortened(problem.text)}" for problem in story.problems]
    return "\n".join(told) + "\n"
