"""Which rules a project has, and evidence and a test's marker -> what is wrong, as text.

The rules and the catalog are read when the first test is judged, not before.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from .errors import CatalogError, ConfigurationError
from .recorder import Evidence

if TYPE_CHECKING:
    from .contracts import Contracts
    from .coverage.catalog import Catalog
    from .formats import FieldMap, Format
    from .rules import Rule, Settings, Verdict

__all__ = ["Choice", "Policy", "choice_of", "chosen", "policy_of"]

_KEY = pytest.StashKey["Policy"]()
_ARGUMENTS = ("rules", "allow")
_FORM = (
    'rules=["rule-id", …] and allow=…: {"rule-id": "reason"}, or a list of exemptions as in '
    "[tool.narration.rules]"
)


@dataclass(frozen=True)
class Choice:
    """What one check judges by, beyond the project's settings."""

    rules: tuple[str, ...] | None = None
    """Ids; ``None`` means all."""
    off: Mapping[str, str] = field(default_factory=dict)
    """``{rule id: reason}`` of rules that do not count."""
    allow: tuple[Mapping[str, Any], ...] = ()
    """Exemptions narrower than a rule."""
    extra: tuple[Rule, ...] = ()
    """Rules that are given as they are, beside the project's."""


class Policy:
    """The rules of a project: built in and its own, its settings, and its declared points."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Built-in rules and those of ``pytest_narration_rules``."""
        from .rules import BUILTIN

        found = self._config.hook.pytest_narration_rules(config=self._config)
        own = [rule for rules in found for rule in rules]
        return (*BUILTIN, *own)

    @cached_property
    def settings(self) -> Settings:
        """What ``[tool.narration.rules]`` of the project's ``pyproject.toml`` says."""
        from .rules import Settings

        return Settings.of(self._table.get("rules", {}), self.rules)

    @cached_property
    def mapping(self) -> FieldMap:
        """What ``[tool.narration.map]`` says.

        :raises pytest.UsageError: it is wrong.
        """
        from .formats import FieldMap

        try:
            return FieldMap(self._table.get("map"))
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None

    @cached_property
    def formats(self) -> tuple[Format, ...]:
        """Those of ``pytest_narration_formats``.

        :raises pytest.UsageError: what it returned is no format.
        """
        from .formats import Format

        found = self._config.hook.pytest_narration_formats(config=self._config)
        own = [entry() if isinstance(entry, type) else entry for each in found for entry in each]
        for entry in own:
            if not isinstance(entry, Format):
                raise pytest.UsageError(
                    f"pytest_narration_formats returned {entry!r}; expected subclasses of "
                    "pytest_narration.formats.Format, or instances of them"
                )
        return tuple(own)

    @cached_property
    def contracts(self) -> Contracts:
        """What ``[tool.narration.contracts]`` says, beside the contracts of the package."""
        from .contracts import Contracts

        return Contracts.of(self._table.get("contracts", {}), folder=self._config.rootpath)

    @cached_property
    def _table(self) -> dict[str, Any]:
        path = self._config.rootpath / "pyproject.toml"
        if not path.is_file():
            return {}
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        table = document.get("tool", {}).get("narration", {})
        return table if isinstance(table, dict) else {}

    @cached_property
    def catalog(self) -> Catalog | None:
        """The project's declared points; ``None`` when it has no catalog.

        :raises CatalogError: it has errors, or cannot be read.
        """
        from ._plugin_options import project_catalogs
        from .coverage.catalog import Catalog

        paths = project_catalogs(self._config)
        return Catalog.load(*paths) if paths else None

    def check(self, evidence: Evidence, choice: Choice | None = None) -> list[Verdict]:
        """Return the verdict of each rule.

        :raises pytest.UsageError: a rule, an exemption, a setting or the catalog is wrong.
        """
        __tracebackhide__ = True
        from .rules import check
        from .rules.registry import check_rule_ids

        choice = choice or Choice()
        try:
            verdicts = check(
                evidence,
                {rule.id: rule for rule in (*self.rules, *choice.extra)}.values(),
                only=choice.rules,
                allow=choice.allow,
                settings=self.settings,
                points=self.catalog.points if self.catalog else (),
                options={"contract": {"contracts": self.contracts}},
            )
            check_rule_ids(choice.off, {rule.id for rule in self.rules})
        except (ConfigurationError, CatalogError) as error:
            raise pytest.UsageError(str(error)) from None
        return [verdict for verdict in verdicts if verdict.rule not in choice.off]

    def complaint(self, evidence: Evidence, choice: Choice | None = None) -> str:
        """Return what is broken or inconclusive as text, empty when every rule holds."""
        __tracebackhide__ = True
        from .rules import report

        verdicts = self.check(evidence, choice)
        return report(verdicts) if any(verdict.is_failure for verdict in verdicts) else ""


def policy_of(config: pytest.Config) -> Policy:
    """Return the project's policy, made on first use."""
    policy = config.stash.get(_KEY, None)
    if policy is None:
        policy = config.stash[_KEY] = Policy(config)
    return policy


def chosen(rules: object, allow: object, *, where: str) -> Choice:
    """Read ``rules`` and ``allow`` as a marker or a call gives them.

    :raises pytest.UsageError: they have another form.
    """
    __tracebackhide__ = True
    if rules is not None and (isinstance(rules, str) or not isinstance(rules, Iterable)):
        raise pytest.UsageError(f"{where}: rules is {rules!r}; expected {_FORM}")
    given = None if rules is None else tuple(rules)
    ids = None if given is None else tuple(str(getattr(rule, "id", rule)) for rule in given)
    extra = tuple(rule for rule in given or () if not isinstance(rule, str))
    if isinstance(allow, Mapping):
        for rule_id, reason in allow.items():
            if not str(reason or "").strip():
                raise pytest.UsageError(f"{where}: allow of {rule_id!r} needs a reason")
        return Choice(ids, off=dict(allow), extra=extra)
    if isinstance(allow, str) or not isinstance(allow, Iterable):
        raise pytest.UsageError(f"{where}: allow is {allow!r}; expected {_FORM}")
    entries = tuple(allow)
    if wrong := [entry for entry in entries if not isinstance(entry, Mapping)]:
        raise pytest.UsageError(f"{where}: allow has {wrong[0]!r}; expected {_FORM}")
    return Choice(ids, allow=entries, extra=extra)


def choice_of(marker: pytest.Mark | None) -> Choice:
    """Read the marker ``narration``.

    :raises pytest.UsageError: it has other arguments than ``rules`` and ``allow``.
    """
    if marker is None:
        return Choice()
    where = "@pytest.mark.narration"
    unknown = [repr(a) for a in marker.args] + [k for k in marker.kwargs if k not in _ARGUMENTS]
    if unknown:
        raise pytest.UsageError(f"{where} does not take {', '.join(unknown)}; it takes {_FORM}")
    return chosen(marker.kwargs.get("rules"), marker.kwargs.get("allow", ()), where=where)
