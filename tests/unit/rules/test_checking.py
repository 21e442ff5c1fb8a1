"""Checks, settings and reports: what makes a verdict, what a project may allow, what is printed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_narration import rules
from pytest_narration.errors import ConfigurationError, NarrationViolation
from pytest_narration.rules import (
    BUILTIN,
    Doubt,
    Facts,
    Finding,
    Note,
    Rule,
    Settings,
    Verdict,
    Violation,
    assert_holds,
    check,
    report,
    rule,
    rules_in,
)
from tests.unit.rules.story_builder import Story, story, texts

_PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
_NAMES = [rule.id for rule in BUILTIN]


@rule("no-tokens", title="nothing is tokenized", hint="do not tokenize")
def no_tokens(evidence: Facts, *, tolerated: int = 0) -> Iterable[Finding]:
    """A user's rule: at most so many events tokenize."""
    found = evidence.events(action="tokenize")
    if len(found) > tolerated:
        yield Violation(f"{len(found)} events tokenized", events=tuple(found))
    if not found:
        yield Note("nothing to count")


class TestCheck:
    def test_a_valid_story_holds_every_rule_in_the_order_of_the_design(self) -> None:
        assert list(story(2).outcomes().items()) == [(name, "held") for name in _NAMES]

    def test_no_event_at_all_is_inconclusive_never_held(self) -> None:
        """The rules about HTTP calls and frames judge those alone."""
        outcomes = Story().outcomes()
        held = {name for name, outcome in outcomes.items() if outcome == "held"}
        assert held == {"correlation-echoed", "stream-grammar"}
        (verdict,) = check(Story().recorded(), only=["envelope"])
        assert verdict.doubts[0].why == "no event was seen: there is nothing to judge"

    def test_what_was_seen_instead_of_events_is_said(self) -> None:
        stray = Story()
        stray.reject(b"panic")
        stray.frame("started", {}, "j", "client")
        (verdict,) = check(stray.recorded(), only=["envelope"])
        assert verdict.doubts[0].why == (
            "no event was seen, only 1 unreadable line and 1 frame: there is nothing to judge"
        )

    @pytest.mark.parametrize(
        ("outcome", "said"), [("cut off", "was cut off"), ("unreachable", "could not be reached")]
    )
    def test_a_source_that_did_not_deliver_makes_its_rules_inconclusive(
        self, outcome: str, said: str
    ) -> None:
        cut = story(ended=False)
        cut.ending("pool-manager", outcome, "connection refused")
        outcomes = cut.outcomes()
        inconclusive = {name for name, o in outcomes.items() if o == "inconclusive"}
        # Its lines are stdout: what frames and HTTP calls tell is not in doubt.
        assert inconclusive == set(_NAMES) - {"correlation-echoed", "stream-grammar"}
        verdict = cut.verdict("provenance")
        assert verdict.doubts == (
            Doubt(f"source 'pool-manager' {said}: connection refused", "pool-manager"),
        )

    def test_a_source_that_never_delivered_puts_every_rule_about_events_in_doubt(self) -> None:
        silent = story()
        silent.ending("worker-2", "unreachable")
        outcomes = silent.outcomes()
        assert {n for n, o in outcomes.items() if o == "held"} == {"correlation-echoed"}

    def test_broken_wins_over_inconclusive_and_keeps_the_doubt(self) -> None:
        cut = story().change({"action": "tokenize"}, correlation_id=None)
        cut.ending("worker", "cut off")
        verdict = cut.verdict("correlation-present")
        assert verdict.outcome == "broken"
        assert verdict.doubts

    def test_rules_are_chosen_by_id_or_given(self) -> None:
        recorder = story().recorded()
        assert [v.rule for v in check(recorder, only=["envelope", "job-own"])] == [
            "job-own",
            "envelope",
        ]
        assert [v.rule for v in check(recorder, ["job-own", no_tokens])] == ["job-own", "no-tokens"]

    def test_an_unknown_id_lists_the_choices(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"no rule is named 'jobs'; rules are: .*job-own"
        ):
            check(story().recorded(), only=["jobs"])

    def test_a_user_s_rule_is_judged_like_the_others(self) -> None:
        verdict = check(story(3).recorded(), [*BUILTIN, no_tokens])[-1]
        assert verdict.outcome == "broken"
        assert verdict.violations[0].rule == "no-tokens"
        assert verdict.violations[0].hint == "do not tokenize"

    def test_options_reach_the_rule(self) -> None:
        options = {"no-tokens": {"tolerated": 3}}
        (verdict,) = check(story(3).recorded(), [no_tokens], options=options)
        assert verdict.outcome == "held"

    def test_two_rules_of_one_id_are_refused(self) -> None:
        @rule("no-tokens", title="another", hint="none")
        def another(evidence: Facts) -> Iterable[Finding]:
            return ()

        with pytest.raises(ConfigurationError, match="two rules have the id 'no-tokens'"):
            check(story().recorded(), [no_tokens, another])

    def test_the_same_evidence_can_be_checked_again(self) -> None:
        """Reading never consumes."""
        recorder = story(2).recorded()
        assert check(recorder) == check(recorder)


class TestRule:
    def test_it_refuses_what_is_no_id_level_or_need(self) -> None:
        for name, how, said in (
            ("No Tokens", {}, "lower-case words joined by hyphens"),
            ("x", {"level": "info"}, "choose from"),
            ("x", {"needs": ["stderr"]}, "choose from 'stdout', 'sse', 'http'"),
        ):
            with pytest.raises(ConfigurationError, match=said):
                rule(name, title="t", hint="h", **how)

    def test_rules_are_found_in_a_module(self) -> None:
        module = SimpleNamespace(no_tokens=no_tokens, alias=no_tokens, other=7)
        assert rules_in(module) == [no_tokens]

    def test_every_rule_has_an_id_a_title_and_a_hint(self) -> None:
        assert len(set(_NAMES)) == len(BUILTIN) == 16
        assert all(rule.title and rule.hint for rule in BUILTIN)

    def test_the_page_about_rules_names_every_rule_and_option(self) -> None:
        page = _PAGE.read_text("utf-8")
        for builtin in BUILTIN:
            assert f"| `{builtin.id}`" in page
            assert all(f"`{option}`" in page for option in builtin.options), builtin.id

    def test_the_page_s_settings_are_valid(self) -> None:
        tables = _blocks("toml")
        assert len(tables) == 2
        for table in tables:
            Settings.of(tomllib.loads(table)["tool"]["narration"]["rules"], BUILTIN)

    def test_the_page_s_own_rule_works(self) -> None:
        (example,) = [block for block in _blocks("python") if "@rule" in block]
        names: dict[str, Any] = {}
        exec(example, names)
        (found,) = rules_in(SimpleNamespace(**names))
        assert check(story().recorded(), [found])[0].outcome == "held"
        retried = story()
        retried.event("worker", "retry")
        assert check(retried.recorded(), [found])[0].outcome == "broken"

    def test_the_public_names_are_exact(self) -> None:
        assert len(set(rules.__all__)) == len(rules.__all__)
        assert all(hasattr(rules, name) for name in rules.__all__)


class TestSettings:
    def test_a_rule_that_is_off_is_not_judged(self) -> None:
        settings = _settings(editorial={"level": "off", "reason": "vendor's words"})
        assert "editorial" not in story().outcomes(settings=settings)
        assert story().verdict("editorial", settings=settings).outcome == "held"

    def test_a_rule_that_warns_does_not_fail(self) -> None:
        settings = _settings(envelope={"level": "warn", "reason": "legacy"})
        broken = story().change({"action": "admit"}, level="loud")
        verdicts = assert_holds(broken.recorded(), settings=settings)
        (warned,) = [v for v in verdicts if v.outcome != "held"]
        assert (warned.rule, warned.level) == ("envelope", "warn")

    def test_a_warning_can_be_made_an_error_without_a_reason(self) -> None:
        settings = _settings(editorial={"level": "error"})
        broken = story().change({"action": "admit"}, human="x" * 101)
        with pytest.raises(NarrationViolation, match="editorial"):
            assert_holds(broken.recorded(), settings=settings)

    def test_options_are_read(self) -> None:
        settings = _settings(editorial={"human": 3})
        assert story().verdict("editorial", settings=settings).outcome == "broken"

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ({"jobs": {}}, r"no rule is named 'jobs'; rules are: causal-order, "),
            ({"editorial": "off"}, r"editorial must be a table such as"),
            ({"editorial": {"level": "quiet"}}, r"choose from: off, warn, error"),
            ({"editorial": {"level": "off"}}, r"without a reason; write editorial = \{level"),
            ({"envelope": {"level": "warn", "reason": " "}}, r"without a reason"),
            ({"editorial": {"length": 3}}, r"no option 'length'; its options are: human, cute"),
            ({"editorial": {"human": "3"}}, r"option 'human' .* must be a int, not '3'"),
            ({"stream-grammar": {"also": "x"}}, r"must be a list, not 'x'"),
            ({"allow": {"rule": "job-own"}}, r"allow must be a list of tables"),
            ({"allow": [{"rule": "job-own", "service": "x"}]}, r"needs a reason"),
            ({"allow": [{"service": "x", "reason": "r"}]}, r"needs a rule"),
            ({"allow": [{"rule": "jobs", "service": "x", "reason": "r"}]}, r"no rule is named"),
            ({"allow": [{"rule": "job-own", "reason": "r"}]}, r"must name one of service, actor"),
            (
                {"allow": [{"rule": "job-own", "job": "x", "reason": "r"}]},
                r"no field 'job'; fields",
            ),
            ({"allow": [{"rule": "job-own", "service": 7, "reason": "r"}]}, r"must be text"),
        ],
    )
    def test_a_wrong_table_is_refused_with_the_choices(
        self, table: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=said):
            Settings.of(table, BUILTIN)

    def test_an_allowed_point_is_exempt_and_the_reason_is_kept(self) -> None:
        broken = story().change({"action": "tokenize"}, correlation_id=None)
        allow = [{"rule": "correlation-present", "action": "tokenize", "reason": "old tokenizer"}]
        verdict = broken.verdict("correlation-present", allow=allow)
        assert verdict.outcome == "held"
        assert [e.reason for e in verdict.exempted] == ["old tokenizer"]

    def test_an_exemption_must_cover_every_event_at_fault(self) -> None:
        """Allowing one point must not hide that the whole job lost its id."""
        broken = story().change(
            {"service": "pool-manager", "job_id": "job-1-p"}, correlation_id=None
        )
        allow = [{"rule": "correlation-present", "action": "relay", "reason": "r"}]
        assert broken.verdict("correlation-present", allow=allow).outcome == "broken"
        allow = [{"rule": "correlation-present", "service": "pool-manager", "reason": "r"}]
        assert broken.verdict("correlation-present", allow=allow).outcome == "held"

    def test_an_exemption_narrows_by_all_that_it_names(self) -> None:
        broken = story().change({"action": "tokenize"}, correlation_id=None)
        allow = [
            {"rule": "correlation-present", "action": "tokenize", "service": "x", "reason": "r"}
        ]
        assert broken.verdict("correlation-present", allow=allow).outcome == "broken"

    def test_a_source_that_is_cut_off_on_purpose_can_be_allowed(self) -> None:
        cut = story(ended=False)
        cut.ending("pool-manager", "cut off", "killed by the test")
        allow = [{"rule": "provenance", "source": "pool-manager", "reason": "the test kills it"}]
        assert cut.verdict("provenance", allow=allow).outcome == "held"
        assert cut.verdict("envelope", allow=allow).outcome == "inconclusive"


class TestReport:
    def test_assert_holds_returns_the_verdicts_of_a_good_story(self) -> None:
        assert [v.rule for v in assert_holds(story().recorded())] == _NAMES

    def test_a_failure_prints_rules_hops_evidence_and_hints(self) -> None:
        broken = story().change({"job_id": "job-1-w"}, correlation_id="fresh")
        with pytest.raises(NarrationViolation) as failure:
            assert_holds(broken.recorded(), ["job-own", "correlation-same"])
        assert str(failure.value).splitlines() == [
            "narration: 1 rule broken, 1 held",
            "",
            "correlation-same (broken): one correlation id on all hops of a request",
            "  ✗ correlation id lost between pool-manager and worker: worker (instance worker-1) "
            "narrated execute_request with 'fresh' instead of 'corr-1'",
            "      parent job 'job-1-p' belongs to pool-manager's correlation 'corr-1'",
            "      pool-manager (instance pool-manager-1) seq 2: pool-manager/job_received “Did "
            "job_received” correlation_id=corr-1 job_id=job-1-p parent_job_id=job-1-o "
            f"trace_id={1:032x} parent_span_id={1:015x}a",
            "      worker (instance worker-1) seq 2: http-server/execute_request “Inference "
            "request validated for job {job_id}” correlation_id=fresh job_id=job-1-w "
            f"parent_job_id=job-1-p trace_id={1:032x} parent_span_id={1:015x}b",
            "  hint: send the id on with every call (header X-Correlation-Id; in Python "
            "`inject(headers)`, or the client hooks), and take it from the request on the other "
            "side before anything is logged (in Python `extract(headers)`); make an id only where "
            "no caller gave one",
        ]

    @pytest.mark.parametrize("judge", BUILTIN, ids=lambda judge: judge.id)
    def test_a_hint_that_names_a_python_helper_says_so(self, judge: Rule) -> None:
        """Most services are not written in Python: the first half of a hint must do for them."""
        helpers = re.search(r"`(inject|extract|new_id|configure)\(|Middleware|\.emit", judge.hint)
        assert not helpers or "Python" in judge.hint
        assert not judge.hint.startswith(("emit through", "`"))

    def test_many_violations_of_one_hop_are_counted_behind_the_first_three(self) -> None:
        broken = story(200).change(
            {"service": "worker", "action": "inference_start"}, event_id=None
        )
        broken = story(200)
        for n in range(1, 201):
            broken.change({"job_id": f"job-{n}-w"}, correlation_id=f"fresh-{n}")
        text = report(check(broken.recorded(), only=["correlation-same"]))
        assert "  … and 197 more between pool-manager and worker" in text
        assert len(text.splitlines()) < 25

    def test_an_inconclusive_check_says_which_source_and_why(self) -> None:
        cut = story(ended=False)
        cut.ending("pool-manager", "cut off", "exit code -9")
        with pytest.raises(NarrationViolation) as failure:
            assert_holds(cut.recorded(), ["provenance"])
        assert str(failure.value).splitlines() == [
            "narration: 1 rule inconclusive, 0 held",
            "",
            "provenance (inconclusive): every event names its emitter, and each emitter's seq has "
            "no gap and no repeat",
            "  ? source 'pool-manager' was cut off: exit code -9",
        ]

    def test_a_doubt_of_several_rules_is_told_once(self) -> None:
        cut = story(ended=False).change({"job_id": "job-1-w"}, correlation_id="fresh")
        cut.ending("pool-manager", "cut off", "exit code -9")
        cut.ending("worker", "unreachable", "no such container")
        rules = ["correlation-same", "provenance", "envelope", "no-secrets"]
        text = report(check(cut.recorded(), only=rules))
        assert text.splitlines()[0] == "narration: 1 rule broken, 3 rules inconclusive, 0 held"
        assert text.count("exit code -9") == 1
        assert text.splitlines()[-3:] == [
            "inconclusive: correlation-same (and broken), provenance, envelope, no-secrets",
            "  ? source 'pool-manager' was cut off: exit code -9",
            "  ? source 'worker' could not be reached: no such container",
        ]
        assert "provenance (inconclusive)" not in text

    def test_one_rule_keeps_the_doubt_that_is_its_own(self) -> None:
        shared, own = Doubt("the source ended early"), Doubt("a stream is open")
        one = Verdict("one", "inconclusive", doubts=(shared,), title="one holds")
        two = Verdict("two", "inconclusive", doubts=(shared, own), title="two holds")
        assert report([one, two]).splitlines()[1:] == [
            "",
            "two (inconclusive): two holds",
            "  ? a stream is open",
            "",
            "inconclusive: one, two",
            "  ? the source ended early",
        ]

    def test_what_is_exempt_is_counted_beside_what_is_not(self) -> None:
        broken = story(2).change({"action": "tokenize"}, correlation_id=None)
        broken.change({"job_id": "job-1-p"}, correlation_id=None)
        allow = [{"rule": "correlation-present", "action": "tokenize", "reason": "old tokenizer"}]
        text = str(broken.verdict("correlation-present", allow=allow))
        assert "  (2 exempted, such as: old tokenizer)" in text

    def test_a_verdict_prints_itself(self) -> None:
        lifecycle = Story()
        lifecycle.event("worker", "startup")
        assert str(lifecycle.verdict("stream-grammar")) == (
            "stream-grammar (held): a stream is started → … → one end or error → [DONE], and "
            "nothing after (no stream was read)"
        )

    def test_evidence_does_not_spread_secrets(self) -> None:
        """Any rule quotes events; a report ends in more places than the log did."""
        key = "ghp_" + "a1B2" * 9
        broken = story().change({"action": "tokenize"}, correlation_id=None, human=f"with {key}")
        verdict = broken.verdict("correlation-present")
        assert key not in texts([verdict, *verdict.violations[0].evidence])
        assert "“with [REDACTED]”" in str(verdict)

    def test_foreign_text_cannot_break_the_report_s_lines(self) -> None:
        broken = story().change({"action": "tokenize"}, correlation_id=None, human="a\x1b[2J\nb")
        text = str(broken.verdict("correlation-present"))
        assert "\x1b" not in text
        assert "“a�[2J�b”" in text


def _settings(**table: Any) -> Settings:
    return Settings.of({name.replace("_", "-"): row for name, row in table.items()}, BUILTIN)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
