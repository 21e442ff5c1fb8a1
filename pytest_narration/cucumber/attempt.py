"""What one run of one scenario came to, as plain values that travel between processes as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Argument", "Attachment", "Attempt", "Definition", "Hook", "Status", "Step", "Unread"]

Status = Literal["passed", "failed", "skipped", "undefined"]


class Definition(msgspec.Struct, frozen=True):
    """The function that a step runs."""

    pattern: str
    path: str
    """Its file, from the project's root."""
    line: int
    is_regex: bool = False


class Argument(msgspec.Struct, frozen=True):
    """A part of a step's text that the step's function is called with."""

    start: int
    """Its place in the text, in code points from 0."""
    text: str
    type: str = ""
    """Name of the parameter's type, where it has one."""


class Step(msgspec.Struct):
    """One step of the scenario, those of backgrounds included."""

    status: Status = "skipped"
    started: float = 0.0
    """Seconds since 1970, UTC; 0 when it was not reached."""
    seconds: float = 0.0
    message: str = ""
    """Why it failed, or was skipped."""
    kind: str = ""
    """Class of the exception."""
    brief: str = ""
    """What the exception says, in a line."""
    definition: Definition | None = None
    arguments: list[Argument] = []
    snippet: str = ""
    """A function to begin with, of a step that is not defined."""


class Hook(msgspec.Struct, frozen=True):
    """What went wrong around the steps: fixtures, rules that are judged at the end, a crash."""

    when: Literal["before", "after"]
    name: str
    status: Status
    message: str
    kind: str = ""
    brief: str = ""
    seconds: float = 0.0


class Attachment(msgspec.Struct, frozen=True):
    """A text beside the scenario: its story, the lines that were captured, what was printed."""

    name: str
    text: str
    media_type: str = "text/plain"


class Attempt(msgspec.Struct):
    """One test that ran a scenario."""

    nodeid: str
    uri: str
    """The feature's file, from the project's root."""
    path: str
    """The same, absolute."""
    line: int
    """Of the scenario's keyword."""
    row: int | None
    """Of an outline: which row of its examples, from 0, all tables counted."""
    started: float
    worker: str = ""
    finished: float = 0.0
    steps: list[Step] = []
    hooks: list[Hook] = []
    attachments: list[Attachment] = []

    @property
    def shown_at(self) -> int:
        """Index of the step that attachments belong to: that which failed, else the last."""
        bad = (n for n, step in enumerate(self.steps) if step.status in ("failed", "undefined"))
        return next(bad, len(self.steps) - 1)

    @property
    def has_failed(self) -> bool:
        """Whether a step or a hook failed."""
        statuses = [step.status for step in self.steps] + [hook.status for hook in self.hooks]
        return any(status in ("failed", "undefined") for status in statuses)


class Unread(msgspec.Struct, frozen=True):
    """A feature file whose scenarios were never begun, because it could not be read."""

    uri: str
    """The file, from the project's root."""
    path: str
    """The same, absolute."""
    message: str
    """Why, where the file itself does not tell."""
