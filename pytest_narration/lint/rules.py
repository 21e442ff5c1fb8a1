"""What lint rules there are, and what one of them found."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["RULES", "Finding", "LintRule"]


class LintRule(msgspec.Struct, frozen=True):
    """One thing that services must not do beside the façade."""

    id: str
    title: str
    """What must hold, as a sentence."""
    hint: str
    """What to do instead."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One place in a file that breaks a rule."""

    path: str
    """As it was named, with forward slashes."""
    line: int
    column: int
    """From 1, as editors count."""
    rule: str
    message: str
    scope: str = ""
    """The functions and classes around it, dotted; empty at the top of the file."""

    @property
    def hint(self) -> str:
        """What to do instead."""
        return RULES[self.rule].hint

    def __str__(self) -> str:
        """Return ``path:line:column: rule: message``."""
        return f"{self.path}:{self.line}:{self.column}: {self.rule}: {self.message}"


RULES: Final[dict[str, LintRule]] = {
    rule.id: rule
    for rule in (
        LintRule(
            "no-print",
            "nothing is printed: stdout carries narration lines only",
            "narrate(action, template, ...) it, or raise an error that says it",
        ),
        LintRule(
            "no-log-handler",
            "no handler or renderer of logs is set up: the façade writes the lines",
            "configure(service=..., sink=...) of pytest_narration.emit decides where lines go",
        ),
        LintRule(
            "no-otel",
            "OpenTelemetry is not imported: the façade takes the span's ids and makes spans",
            "use the middleware and client hooks of pytest_narration.emit, with spans=True",
        ),
        LintRule(
            "no-private-emitter",
            "there is no second way to emit events",
            "call narrate() of pytest_narration.emit where it happens, with bound ids from "
            "narration_context(...)",
        ),
        LintRule(
            "literal-action",
            "an action is a literal: it names a point of the catalog",
            "write the action as a string, one call for each, and what varies as a field",
        ),
        LintRule(
            "literal-template",
            "a template is not put together: its values are fields",
            'write "... {name} ..." and give name=...: the value is then redacted and kept',
        ),
        LintRule(
            "no-handmade-id",
            "ids are bound by the façade, or made by its new_id()",
            "take the id from current_context(), bind it with narration_context(...), and make "
            "one with new_id() of pytest_narration.emit",
        ),
        LintRule(
            "no-secret-in-text",
            "no secret is put into words",
            "leave it out, or narrate that it was there: has_token=True",
        ),
        LintRule(
            "unused-allowance",
            "what is allowed is there",
            "take the entry out of [tool.narration.lint] allow",
        ),
        LintRule(
            "unreadable",
            "every file can be read as Python",
            "correct the file, or exclude it in [tool.narration.lint]",
        ),
    )
}
"""``{id: rule}``, in the order of the documentation."""
