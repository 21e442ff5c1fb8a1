"""Rules and evidence -> verdicts; the plugin, ``narration.check()`` and the command line call it.

A rule alone says what is wrong in what was seen. Here its findings are weighed: whether the
sources it needs delivered everything, whether anything was seen at all, and what the project
allows. Missing evidence makes a verdict inconclusive, never held.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import ConfigurationError, NarrationViolation
from .evidence import Evidence, PointLike
from .facts import Facts
from .registry import Rule, check_rule_ids
from .report import report
from .settings import Allowance, Settings
from .verdict import Doubt, Exempted, Note, Verdict, Violation
from .words import plural

if TYPE_CHECKING:
    from ..emit.redaction import Redactor

__all__ = ["assert_holds", "check"]


def check(
    evidence: Evidence,
    rules: Iterable[Rule | str] | None = None,
    *,
    only: Iterable[str] | None = None,
    allow: Iterable[Allowance | Mapping[str, Any]] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
    points: Iterable[PointLike] | None = None,
    whole: Evidence | None = None,
) -> list[Verdict]:
    """Judge the evidence by each rule; one verdict per rule, in the rules' order.

    :param rules: the rules of this package by default, ``[*BUILTIN, mine]`` with one of yours; an
        id stands for the rule of this package.
    :param only: ids of the rules to judge by. A rule that is named by its id, here or in
        ``rules``, is judged even when the settings say off.
    :param allow: exemptions beyond those of the settings, each with a reason.
    :param options: ``{rule id: {option: value}}``, over those of the settings.
    :param settings: what the project's ``[tool.narration.rules]`` says.
    :param points: the catalog's points, by default those that the evidence has.
    :param whole: what the evidence is a part of; by default the ``recorder`` behind a view.
    :raises ConfigurationError: an unknown rule or option, or an exemption without a reason.
    """
    known, named = _known(rules)
    choices = _builtin() | known
    settings = settings or Settings()
    if only is not None:
        named = list(only)
        check_rule_ids(named, known)
        chosen = [rule for rule in known.values() if rule.id in named]
    else:
        on = {rule.id for rule in known.values() if settings.level(rule) is not None}
        chosen = [rule for rule in known.values() if rule.id in on or rule.id in named]
    settings = msgspec.structs.replace(
        settings, allow=(*settings.allow, *(Allowance.of(entry, choices) for entry in allow))
    )
    given = {rule_id: dict(row) for rule_id, row in settings.options.items()}
    for rule_id, row in (options or {}).items():
        check_rule_ids([rule_id], choices)
        given.setdefault(rule_id, {}).update(row)
    if points is None:
        points = getattr(evidence, "points", ())
    if whole is None:
        whole = getattr(evidence, "recorder", None)
    facts = Facts(evidence, points=points, whole=whole)
    return [_judge(rule, facts, given.get(rule.id, {}), settings) for rule in chosen]


def assert_holds(
    evidence: Evidence, rules: Iterable[Rule | str] | None = None, **how: Any
) -> list[Verdict]:
    """Check, and fail the test unless every rule held; parameters as in :func:`check`.

    :returns: the verdicts, so that warnings can be shown.
    :raises NarrationViolation: with every violation and doubt, grouped by rule.
    """
    __tracebackhide__ = True
    verdicts = check(evidence, rules, **how)
    if any(verdict.is_failure for verdict in verdicts):
        raise NarrationViolation(report(verdicts))
    return verdicts


def _known(rules: Iterable[Rule | str] | None) -> tuple[dict[str, Rule], list[str]]:
    """Return the rules by id, and which of them were named by id."""
    builtin = _builtin()
    if rules is None:
        return builtin, []
    known: dict[str, Rule] = {}
    named: list[str] = []
    for rule in rules:
        if isinstance(rule, str):
            check_rule_ids([rule], builtin)
            named.append(rule)
            known[rule] = builtin[rule]
        elif known.setdefault(rule.id, rule) is not rule:
            raise ConfigurationError(f"two rules have the id {rule.id!r}")
    return known, named


def _builtin() -> dict[str, Rule]:
    # Late: the package's façade imports this module.
    from . import BUILTIN

    return {rule.id: rule for rule in BUILTIN}


def _judge(rule: Rule, facts: Facts, options: Mapping[str, Any], settings: Settings) -> Verdict:
    rule.check_options(options)
    violations: list[Violation] = []
    doubts: list[Doubt] = []
    notes: list[str] = []
    exempted: list[Exempted] = []
    for finding in (*_undelivered(rule, facts), *_found(rule, facts, options)):
        if isinstance(finding, Note):
            notes.append(finding.text)
            continue
        exemption = settings.exemption(rule.id, finding)
        if exemption is not None:
            exempted.append(exemption)
        elif isinstance(finding, Doubt):
            doubts.append(finding)
        else:
            violations.append(_complete(finding, rule))
    return Verdict(
        rule=rule.id,
        outcome="broken" if violations else "inconclusive" if doubts else "held",
        violations=tuple(violations),
        doubts=tuple(doubts),
        notes=tuple(notes),
        exempted=tuple(exempted),
        level=settings.level(rule) or rule.level,
        title=rule.title,
        hint=rule.hint,
    )


@functools.cache
def _redactor() -> Redactor:
    # Late: only failures quote events, and a report must not spread the secrets in them.
    from ..emit.redaction import Redactor

    return Redactor()


def _complete(violation: Violation, rule: Rule) -> Violation:
    clean = _redactor().clean
    return msgspec.structs.replace(
        violation,
        rule=rule.id,
        hint=violation.hint or rule.hint,
        title=clean(violation.title),
        evidence=tuple(map(clean, violation.evidence)),
    )


def _found(rule: Rule, facts: Facts, options: Mapping[str, Any]) -> Iterator[Any]:
    if rule.on_nothing == "inconclusive" and not facts.events():
        yield Doubt(_nothing(facts))
    else:
        yield from rule(facts, **options)


def _nothing(facts: Facts) -> str:
    lines = len(facts.rejected)
    frames = len(facts.frames())
    seen = [
        plural(lines, "unreadable line") if lines else "",
        plural(frames, "frame") if frames else "",
    ]
    but = " and ".join(text for text in seen if text)
    return f"no event was seen{f', only {but}' if but else ''}: there is nothing to judge"


def _undelivered(rule: Rule, facts: Facts) -> Iterator[Doubt]:
    """Find sources that the rule needs and that did not deliver everything."""
    for ending in facts.endings:
        if ending.outcome == "complete":
            continue
        # Nobody knows what a silent source would have delivered: any rule may need it.
        delivers = facts.channels.get(ending.source, {"stdout", "sse"})
        if rule.needs.isdisjoint(delivers):
            continue
        how = "could not be reached" if ending.outcome == "unreachable" else "was cut off"
        detail = f": {ending.detail}" if ending.detail else ""
        yield Doubt(f"source '{ending.source}' {how}{detail}", ending.source)
