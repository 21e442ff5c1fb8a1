"""A function over evidence -> a :class:`Rule` with an id, a title, a hint and options.

:func:`rule` makes the rules of this package and those of users. It registers nothing: a rule is a
value, and a check is given the rules it judges, so two test runs in one process never share them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from ..errors import ConfigurationError
from .verdict import Finding, Level

__all__ = ["Need", "Rule", "check_rule_ids", "rule", "rules_in"]

Need = Literal["stdout", "sse", "http"]
"""What a rule must see completely before it may say ``held``."""

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Rule(msgspec.Struct, frozen=True):
    """A property that every story must have. Calling it yields findings."""

    id: str
    title: str
    """The property in words, as a sentence that is true when the rule holds."""
    hint: str
    """How to fix what breaks it."""
    function: Callable[..., Iterable[Finding]]
    level: Level = "error"
    needs: frozenset[Need] = frozenset({"stdout", "sse"})
    on_nothing: Literal["inconclusive", "judge"] = "inconclusive"
    """What to say when no event was seen at all; ``judge`` leaves it to the function."""

    def __call__(self, evidence: Any, **options: Any) -> Iterable[Finding]:
        """Yield what the rule finds in the evidence."""
        return self.function(evidence, **options)

    @property
    def options(self) -> Mapping[str, Any]:
        """``{name: default}``: the function's keyword-only parameters."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def check_options(self, given: Mapping[str, Any]) -> None:
        """Refuse options that the rule does not have.

        :raises ConfigurationError: naming the options that it has.
        """
        known = self.options
        for name, value in given.items():
            if name not in known:
                valid = ", ".join(known) or "none"
                raise ConfigurationError(
                    f"rule {self.id!r} has no option {name!r}; its options are: {valid}"
                )
            wanted = type(known[name])
            wanted = list if wanted is tuple else wanted
            fits = isinstance(value, list | tuple) if wanted is list else isinstance(value, wanted)
            if known[name] is not None and not fits:
                raise ConfigurationError(
                    f"option {name!r} of rule {self.id!r} must be a {wanted.__name__}, "
                    f"not {value!r}"
                )


def rule(
    id: str,
    /,
    *,
    title: str,
    hint: str,
    level: Level = "error",
    needs: Iterable[Need] = ("stdout", "sse"),
    on_nothing: Literal["inconclusive", "judge"] = "inconclusive",
) -> Callable[[Callable[..., Iterable[Finding]]], Rule]:
    """Make a rule of a function that takes evidence and yields findings.

    ::

        @rule("no-retries", title="nothing is retried", hint="look at the upstream's health")
        def no_retries(evidence):
            for event in evidence.events(action="retry"):
                yield Violation(f"{event.service} retried", events=(event,))

    Keyword-only parameters of the function are the rule's options, set in ``pyproject.toml``.

    :param id: lower-case words joined by hyphens, unique in a run.
    :param needs: what must have been seen completely; otherwise the verdict is inconclusive.
    :raises ConfigurationError: the id, the level or a need is not a valid one.
    """
    if not _ID.fullmatch(id):
        raise ConfigurationError(
            f"a rule's id is lower-case words joined by hyphens, such as 'no-retries', not {id!r}"
        )
    if level not in (levels := ("error", "warn")):
        raise ConfigurationError(f"level of rule {id!r} is {level!r}; choose from {levels}")
    if unknown := set(needs) - {"stdout", "sse", "http"}:
        raise ConfigurationError(
            f"rule {id!r} needs {sorted(unknown)}; choose from 'stdout', 'sse', 'http'"
        )

    def make(function: Callable[..., Iterable[Finding]]) -> Rule:
        return Rule(id, title, hint, function, level, frozenset(needs), on_nothing)

    return make


def check_rule_ids(ids: Iterable[str], known: Collection[str]) -> None:
    """Refuse an id that no rule has.

    :raises ConfigurationError: naming the rules that there are.
    """
    for rule_id in ids:
        if rule_id not in known:
            close = get_close_matches(str(rule_id), known, n=1)
            rules = f"did you mean {close[0]!r}? Rules" if close else "rules"
            raise ConfigurationError(
                f"no rule is named {rule_id!r}; {rules} are: {', '.join(sorted(known))}"
            )


def rules_in(namespace: object) -> list[Rule]:
    """Return the rules at the top level of a module, such as a ``conftest.py``, in its order."""
    found = [value for value in vars(namespace).values() if isinstance(value, Rule)]
    return list({rule.id: rule for rule in found}.values())
