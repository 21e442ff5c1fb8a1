"""The table ``[tool.narration.rules]`` -> levels, options and exemptions of rules.

::

    [tool.narration.rules]
    editorial = { level = "off", reason = "texts come from a vendor" }
    correlation-echoed = { skip = ["/health"] }
    allow = [
      { rule = "job-own", service = "legacy-queue", reason = "replaced in the spring" },
    ]

What makes a check weaker needs a ``reason``; a table that is wrong is refused with the choices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ..event import Event
from .registry import Rule, check_rule_ids
from .verdict import Doubt, Exempted, Level, Violation
from .words import who

__all__ = ["Allowance", "Settings"]

_LEVELS = ("off", "warn", "error")
_NARROWS = ("service", "actor", "action", "source")


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a rule would report and the project accepts."""

    rule: str
    reason: str
    service: str | None = None
    actor: str | None = None
    action: str | None = None
    source: str | None = None
    """A source or client: exempts its doubts, and violations that blame no event."""

    @classmethod
    def of(cls, entry: Allowance | Mapping[str, Any], known: Collection[str]) -> Allowance:
        """Read one entry of ``allow``.

        :raises ConfigurationError: it has no reason, names nothing to allow or an unknown rule.
        """
        if isinstance(entry, Mapping):
            if unknown := [name for name in entry if name not in cls.__struct_fields__]:
                raise ConfigurationError(
                    f"an entry of `allow` has no field {unknown[0]!r}; "
                    f"fields are: {', '.join(cls.__struct_fields__)}"
                )
            for name in ("rule", "reason"):
                if not str(entry.get(name) or "").strip():
                    raise ConfigurationError(f"an entry of `allow` needs a {name}: {dict(entry)}")
            if wrong := [name for name, value in entry.items() if not isinstance(value, str)]:
                raise ConfigurationError(
                    f"field {wrong[0]!r} of an entry of `allow` must be text: {dict(entry)}"
                )
            entry = cls(**entry)
        check_rule_ids([entry.rule], known)
        if not entry.reason.strip():
            raise ConfigurationError(f"an entry of `allow` needs a reason: {entry}")
        if all(getattr(entry, name) is None for name in _NARROWS):
            raise ConfigurationError(
                f"an entry of `allow` for {entry.rule!r} must name one of {', '.join(_NARROWS)}; "
                f'to judge nothing by the rule, set {entry.rule} = {{level = "off", reason = ...}}'
            )
        return entry

    def covers(self, finding: Violation | Doubt, event: Event | None) -> bool:
        """Whether it allows a finding, or one event that a violation blames."""
        if event is None:
            named_event = self.service or self.actor or self.action
            return not named_event and self.source == finding.source
        return (
            self.service in (None, event.service, who(event))
            and self.actor in (None, event.actor)
            and self.action in (None, event.action)
            and self.source in (None, getattr(finding, "source", None))
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a project decided about its rules."""

    levels: Mapping[str, str] = {}
    """``{rule id: "off" | "warn" | "error"}`` where it differs from the rule's own."""
    reasons: Mapping[str, str] = {}
    options: Mapping[str, Mapping[str, Any]] = {}
    allow: tuple[Allowance, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any], rules: Iterable[Rule]) -> Settings:
        """Read the table; ``rules`` are those that it may name.

        :raises ConfigurationError: an unknown rule, level or option, or no reason given.
        """
        known = {rule.id: rule for rule in rules}
        levels: dict[str, str] = {}
        reasons: dict[str, str] = {}
        options: dict[str, Mapping[str, Any]] = {}
        for rule_id, row in table.items():
            if rule_id == "allow":
                continue
            check_rule_ids([rule_id], known)
            if not isinstance(row, Mapping):
                raise ConfigurationError(
                    f"[tool.narration.rules] {rule_id} must be a table such as "
                    f'{{level = "warn", reason = "..."}}, not {row!r}'
                )
            given = dict(row)
            level, reason = given.pop("level", None), given.pop("reason", None)
            if level is not None:
                _check_level(known[rule_id], level, reason)
                levels[rule_id] = level
            if reason is not None:
                reasons[rule_id] = str(reason)
            known[rule_id].check_options(given)
            if given:
                options[rule_id] = given
        entries = table.get("allow", ())
        if not isinstance(entries, list | tuple):
            raise ConfigurationError("[tool.narration.rules] allow must be a list of tables")
        allow = tuple(Allowance.of(entry, known) for entry in entries)
        return cls(levels=levels, reasons=reasons, options=options, allow=allow)

    def level(self, rule: Rule) -> Level | None:
        """Return how much a rule weighs, ``None`` when it is off."""
        level = self.levels.get(rule.id, rule.level)
        return None if level == "off" else "warn" if level == "warn" else "error"

    def exemption(self, rule: str, finding: Violation | Doubt) -> Exempted | None:
        """Return why a finding is allowed; a violation only when all it blames is allowed."""
        entries = [entry for entry in self.allow if entry.rule == rule]
        if not entries:
            return None
        blamed: tuple[Event | None, ...] = getattr(finding, "events", ()) or (None,)
        reasons: dict[str, None] = {}
        for event in blamed:
            found = next((entry for entry in entries if entry.covers(finding, event)), None)
            if found is None:
                return None
            reasons[found.reason] = None
        return Exempted(finding, "; ".join(reasons))


def _check_level(rule: Rule, level: object, reason: object) -> None:
    if level not in _LEVELS:
        raise ConfigurationError(
            f"level of rule {rule.id!r} is {level!r}; choose from: {', '.join(_LEVELS)}"
        )
    is_weaker = _LEVELS.index(str(level)) < _LEVELS.index(rule.level)
    if is_weaker and not str(reason or "").strip():
        raise ConfigurationError(
            f"rule {rule.id!r} is set to {level!r} without a reason; write "
            f'{rule.id} = {{level = "{level}", reason = "..."}}'
        )
