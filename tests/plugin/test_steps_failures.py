"""What a scenario shows when it fails: how far it came, the step, why, and what was narrated."""

from __future__ import annotations

import textwrap

import pytest

from .conftest import Run

BDD = ("-p", "pytest_bdd.plugin")


@pytest.fixture
def feature(project: pytest.Pytester) -> pytest.Pytester:
    """A project with a service in process, phrases of the library and one of its own."""
    project.makeini("[pytest]\npythonpath = .\nnarration_steps = true\n")
    project.makeconftest(
        """
        import shop
        from pytest_bdd import when, parsers

        @when("the customer looks at shoes")
        def _look(narration):
            shop.look()

        @when(parsers.parse("the customer buys {number:d} items"))
        def _buy(narration, number):
            shop.checkout(correlation="c-7")

        @when("somebody trips")
        def _trips(narration):
            assert [1, 2] == [1, 3]
        """
    )
    project.makepyfile(test_it="from pytest_bdd import scenarios\nscenarios('.')\n")
    return project


def write(project: pytest.Pytester, *scenarios: str) -> None:
    text = "Feature: A shop\n"
    for number, steps in enumerate(scenarios):
        lines = textwrap.indent(textwrap.dedent(steps).strip("\n"), "    ")
        text += f"  Scenario: A visit{f' {number}' if number else ''}\n{lines}\n"
    (project.path / "shop.feature").write_text(text, "utf-8")


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_a_failing_step_shows_the_scenario_the_expectation_the_nearest_miss_and_the_story(
    feature: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    write(
        feature,
        """
        Given I wait at most 50 ms
        When the customer buys 2 items
        Then the event "checkout" is seen
        And the event "checkout" with "items" = 3 is seen
        And every rule holds
        """,
    )

    result = run(*BDD, *extra)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "waited * s (timeout 0.05 s) and this did not come:",
            "*event(action='checkout', items=3)",
            "nearest miss:",
            '  cart cart checkout "Checked out 2 items"',
            "      items: expected 3, found 2",
            "*- scenario -*",
            "Feature: A shop",
            "  Scenario: A visit  (*shop.feature:2)",
            "    ✓ Given I wait at most 50 ms",
            "    ✓ When the customer buys 2 items*",
            '    ✓ Then the event "checkout" is seen',
            '    ✗ And the event "checkout" with "items" = 3 is seen  (line 6)',
            "        waited *",
            "    - And every rule holds",
            "",
            "*●  cart  cart checkout  Checked out 2 items",
            "FAILED *::test_a_visit - *WaitTimeout*",
        ]
    )
    result.stdout.no_fnmatch_line("*def _seen*")
    result.stdout.no_fnmatch_line("*fixtures.py*")


def test_a_failing_step_of_the_project_keeps_its_python(feature: pytest.Pytester, run: Run) -> None:
    write(
        feature,
        """
        When the customer looks at shoes
        And somebody trips
        Then every rule holds
        """,
    )

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        [
            "*assert [[]1, 2] == [[]1, 3]",
            "*- scenario -*",
            "    ✓ When the customer looks at shoes",
            "    ✗ And somebody trips  (line 4)",
            "    - Then every rule holds",
            "*●  cart  cart look  Looked at shoes",
        ]
    )


def test_a_broken_rule_names_the_rule_and_the_hop(feature: pytest.Pytester, run: Run) -> None:
    write(
        feature,
        """
        When the customer buys 2 items
        And the customer looks at shoes
        Then the rule "channel-split" holds
        And the rule "correlation-present" is broken
        """,
    )

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        ["expected the rule correlation-present to be broken; it is held", "*- scenario -*"]
    )


UNDEFINED = {
    "the event checkout is seen within 2 sec": [
        "no step is defined for: When the event checkout is seen within 2 sec",
        "  shop.feature, line 3",
        "did you mean:",
        "  {event} is seen within {duration}",
        '      Then the event "paid" is seen within 2 s',
        "*the event checkout is no {event} *",
        "*2 sec is no {duration} *2 s, 500 ms, 1.5 min",
    ],
    "I send FETCH '/health'": ["  FETCH is no {method} (an HTTP method): such as GET, POST, *"],
    'The  event "checkout" is Seen': [
        "  {event} is seen",
        "  only capitals, spaces or the colon *",
    ],
    "the moon is full": ["no phrase is near; `narration steps WORD` lists those that have *"],
    "the customers buys 2 items": ["did you mean:", "  the customer buys {number:d} items"],
    'the basket of "bob" holds 3 things after 2 s': [
        "    from pytest_bdd import when, parsers",
        '    @when(parsers.parse(\'the basket of "{text_1}" holds {number_2:d} things *',
        "    def _(text_1: str, number_2: int, text_3: str):",
        "        raise NotImplementedError",
    ],
}


def test_an_undefined_step_says_which_phrase_is_near_what_is_wrong_and_how_to_define_it(
    feature: pytest.Pytester, run: Run
) -> None:
    write(feature, *(f"When {step}" for step in UNDEFINED))

    result = run(*BDD)

    result.assert_outcomes(failed=len(UNDEFINED))
    for told in UNDEFINED.values():
        result.stdout.fnmatch_lines(told)


def test_the_stub_of_an_undefined_step_defines_it(feature: pytest.Pytester, run: Run) -> None:
    write(
        feature,
        '''
        When the basket of "bob" {is} full of 3 things:
          | a | b |
        And he says:
          """
          well
          """
        ''',
    )
    lines = run(*BDD).outlines
    begin = lines.index("    from pytest_bdd import when, parsers")
    stub = "\n".join(line[4:] for line in lines[begin : begin + 5])
    own = stub.replace("raise NotImplementedError", "assert (text_1, number_2) == ('bob', 3)")
    with (feature.path / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{own}\n    assert datatable == [['a', 'b']]\n")

    result = run(*BDD)

    result.stdout.fnmatch_lines(["no step is defined for: And he says:", "*def _(docstring: str):"])


def test_a_step_that_is_defined_elsewhere_says_where(feature: pytest.Pytester, run: Run) -> None:
    write(feature, "Then the customer looks at shoes\nAnd the cellar is seen")
    conftest = (
        "from pytest_bdd import then\n\n@then('the cellar is seen')\ndef _cellar():\n    pass"
    )
    (feature.mkdir("a_folder") / "conftest.py").write_text(conftest, "utf-8")
    (feature.path / "a_folder" / "test_a.py").write_text("def test_a():\n    pass\n", "utf-8")

    result = run(*BDD, "a_folder", "test_it.py")

    result.stdout.fnmatch_lines(
        [
            "no step is defined for: Then the customer looks at shoes",
            "conftest._look is this step, defined for When and not for Then: use @step from *",
        ]
    )
    write(feature, "When the customer looks at shoes\nThen the cellar is seen")
    result = run(*BDD, "a_folder", "test_it.py")
    result.stdout.fnmatch_lines(["*conftest._cellar is this step, in a module that this feature *"])


def test_all_undefined_steps_of_a_scenario_are_told_at_once(
    feature: pytest.Pytester, run: Run
) -> None:
    write(
        feature,
        """
        When the customer frowns
        Then everything is quiet
        And no event paid is seen
        """,
    )

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        [
            "no step is defined for: When the customer frowns",
            "undefined too: And no event paid is seen",
            "*event paid is no {events} *",
        ]
    )
    result.stdout.no_fnmatch_line("undefined too: Then everything*")


MISTAKES = [
    (
        'Then the event "look" has the fields:',
        "this step needs a table in the lines below it: | … | … |",
    ),
    (
        'When I send POST "http://127.0.0.1:1/x" with the JSON:',
        'this step needs a text in the lines below it, between two lines of """',
    ),
    (
        "When the customer looks at shoes\nThen every rule holds\n  | provenance |",
        "this step takes no table, and would ignore the one below it; "
        "there is: every rule holds, except:",
    ),
    (
        'Then everything is quiet\n  """\n  really\n  """',
        "this step takes no text, and would ignore the one below it",
    ),
    (
        'Then the event "look" has the fields:\n  | a | b | c |',
        "the table has 3 columns in the row | a | b | c |; it takes two: | field | value |",
    ),
    (
        'When I send POST "http://127.0.0.1:1/x" with the JSON:\n  """\n  {"a": 1,}\n  """',
        "the text below the step is no JSON: *, line 1 column *:",
    ),
    (
        'When I call "a" "${b}"',
        "${b} was not saved in this scenario; there are: *${correlation_id}*",
    ),
    (
        'Then any event at level "warning" is seen',
        "'warning' is no level; levels are: trace, debug, info, warn, error, fatal",
    ),
    ("Then an event saying /(/ is seen", "/(/ is no regular expression: *"),
    ('When I send GET "/health"', '"/health" goes nowhere: no service with an address *'),
    ("Then the answer is 200", "no request was sent in this scenario, so there is no answer"),
    ('Then the point "cart.chekout" is seen', 'the catalog has no point "cart.chekout"; *'),
    ('When the service "api" is killed', 'there is no service "api"; services are: none yet*'),
    ('Then the rule "job-owned" holds', "*no rule is named 'job-owned'*"),
    (
        'Given the service "a" is started with:\n  | comand | x |',
        "the service \"a\" has no key 'comand'; keys are:",
    ),
    ('Given the recorded log "no.log" of "a"', "there is no log file *no.log"),
    ('Then the answer\'s "$.a[" is 3', '"$.a[[]" is no JSON path: *'),
    ('When I look at the stream "x"', 'there is no stream "x"; streams are: none has a name'),
    ("Then the stream is complete", "no stream was opened in this scenario"),
    ("When I open the job's stream", "no job was submitted in this scenario"),
    (
        'Then no event "look" is seen',
        "this cannot be judged, because nothing at all was narrated in this scenario: *",
    ),
    ("Given the cluster is running", "*narration_cluster: this project has not said how *"),
]


def test_a_mistake_in_a_step_is_explained(feature: pytest.Pytester, run: Run) -> None:
    write(feature, *(steps for steps, _ in MISTAKES))

    result = run(*BDD)

    result.assert_outcomes(failed=len(MISTAKES))
    result.stdout.fnmatch_lines([told for _, told in MISTAKES])
    # Whoever wrote the scenario is shown no Python, and each mistake once.
    for line in ("*fixtures.py*", "*direct cause*", "*def *"):
        result.stdout.no_fnmatch_line(line)


def test_a_scenario_that_does_not_use_narration_fails_as_ever(
    pytester: pytest.Pytester, run: Run
) -> None:
    """The plugin is installed and nobody asked for it."""
    (pytester.path / "a.feature").write_text(
        "Feature: A\n  Scenario: B\n    Given nothing\n", "utf-8"
    )
    pytester.makepyfile(
        test_it="""
        from pytest_bdd import given, scenarios
        scenarios(".")

        @given("nothing")
        def _nothing():
            assert 0
        """
    )

    result = run(*BDD)

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*- scenario -*")


def test_an_order_that_is_another_says_what_it_rests_on(feature: pytest.Pytester, run: Run) -> None:
    write(
        feature,
        """
        Given I wait at most 50 ms
        When the customer looks at shoes
        And the customer buys 2 items
        Then the event "checkout" comes before the event "look"
        """,
    )

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        [
            "all of them came, and not as expected:",
            '  the event "checkout" comes after the event "look", by their order in one output*',
        ]
    )


def test_what_is_not_followed_is_counted_and_timed(feature: pytest.Pytester, run: Run) -> None:
    write(
        feature,
        """
        When the customer buys 2 items
        Then each event "checkout" is followed by the event "look" within 1 s
        """,
    )

    result = run(*BDD)

    result.stdout.re_match_lines([r"1 of 1 were not followed \(waited \d{1,2}\.\d\d s\) while .*"])


def test_what_is_missing_from_an_order_is_told_with_how_long_it_was_waited_for(
    feature: pytest.Pytester, run: Run
) -> None:
    write(
        feature,
        """
        Given I wait at most 50 ms
        When the customer looks at shoes
        Then the event "look" comes before the event "pay" of "bank"
        """,
    )

    result = run(*BDD)

    result.stdout.re_match_lines(
        [
            r"waited (?!0\.00)\d+\.\d\d s \(timeout 0\.05 s\) and this did not come:",
            r'  the event "pay" of "bank"$',
            "what had come of it:",
            "  cart cart look .*",
        ]
    )


def test_a_field_under_a_loggers_name_is_told_the_name_that_events_have(
    feature: pytest.Pytester, run: Run
) -> None:
    write(
        feature,
        """
        Given I wait at most 50 ms
        When the customer looks at shoes
        Then the event "look" has the fields:
          | requestId | c-7 |
        """,
    )

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        ["no event has a field `requestId`: loggers' `requestId` is read as `correlation_id`"]
    )
