"""What was seen -> whether it has the properties that every story must have.

:func:`check` judges evidence (a recorder, a view of one) by rules and returns one verdict per
rule: held, broken, or inconclusive when what the rule needs was not all there. The plugin, tests
and the command line use it; ``docs/rules.md`` has the rules, their options and exemptions.

Each rule of :data:`BUILTIN` is one file of this package. Users add their own with :func:`rule`.
"""

from __future__ import annotations

from .causal_order import causal_order
from .channel_split import channel_split
from .checking import assert_holds, check
from .contract import contract
from .correlation_echoed import correlation_echoed
from .correlation_present import correlation_present
from .correlation_same import correlation_same
from .editorial import editorial
from .envelope import envelope
from .evidence import Evidence
from .facts import Facts
from .job_isolated import job_isolated
from .job_linked import job_linked
from .job_own import job_own
from .no_secrets import no_secrets
from .provenance import provenance
from .registry import Rule, rule, rules_in
from .report import report
from .settings import Allowance, Settings
from .stream_grammar import stream_grammar
from .terminated import terminated
from .trace_linked import trace_linked
from .verdict import Doubt, Exempted, Finding, Note, Verdict, Violation

__all__ = [
    "BUILTIN",
    "Allowance",
    "Doubt",
    "Evidence",
    "Exempted",
    "Facts",
    "Finding",
    "Note",
    "Rule",
    "Settings",
    "Verdict",
    "Violation",
    "assert_holds",
    "check",
    "report",
    "rule",
    "rules_in",
]

BUILTIN: tuple[Rule, ...] = (
    correlation_present,
    correlation_same,
    correlation_echoed,
    job_own,
    job_linked,
    job_isolated,
    channel_split,
    stream_grammar,
    trace_linked,
    provenance,
    envelope,
    contract,
    no_secrets,
    editorial,
    causal_order,
    terminated,
)
"""The rules of this package, in the order of the design: ids first, then channels, then form."""
