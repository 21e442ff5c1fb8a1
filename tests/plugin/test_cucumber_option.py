"""``--narration-cucumber``: valid by the public schemas, and complete whoever ran what."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from .conftest import Run

BDD = ("-p", "pytest_bdd.plugin")
SCHEMAS = Path(__file__).parents[1] / "data" / "cucumber"
MESSAGES, JSON = "out/run.ndjson", "out/run.json"
WRITE = (f"--narration-cucumber=messages:{MESSAGES}", f"--narration-cucumber=json:{JSON}")

CONFTEST = """
import os
import pytest
import shop
from pytest_bdd import parsers, then, when

@when(parsers.parse("the customer looks at {thing}"))
def _look(thing):
    print("token: Bearer abcdefghijklmnopqrstuvwxyz0123456789")
    shop.look(thing)

@when("the shop burns down")
def _burns():
    os._exit(3)

@when("it rains")
def _rains():
    pytest.skip("wet")

@when("a database is needed")
def _needs(database):
    pass

@pytest.fixture
def database():
    raise RuntimeError("no database")

@pytest.fixture
def late():
    yield
    raise RuntimeError("not cleaned up")

@when("it is left dirty")
def _dirty(late):
    pass

def pytest_bdd_apply_tag(tag, function):
    if tag == "closed":
        pytest.mark.skip(reason="closed today")(function)
        return True
    if tag == "wanted":
        pytest.mark.xfail(reason="not sold yet")(function)
        return True
"""

LOOKING = """\
@window
Feature: Looking
  Customers look before they buy.

  Background:
    Given I wait at most 20 ms

  Scenario: A look
    When the customer looks at shoes
    Then the event "look" is seen

  Scenario: Another thing
    When the customer looks at hats
    Then the event "look" has the fields:
      | item | boots |
    And the event "look" is seen

  Scenario: An unknown step
    When the customer juggles 3 hats
    Then the event "look" is seen

  Scenario: A step that skips
    When it rains
    Then the event "look" is seen

  @closed
  Scenario: A scenario that is skipped
    When it rains

  @wanted
  Scenario: A scenario that is to fail
    Then the event "sold" is seen

  Scenario: A fixture that fails
    When a database is needed

  Scenario: An end that fails
    When it is left dirty

  Rule: The same on every row
    Background:
      Given I call "a" "b"

    Scenario Outline: A look at <thing>
      When the customer looks at <thing>
      Then the answer's text is not read:
        \"\"\"json
        {"thing": "<thing>"}
        \"\"\"

      Examples:
        | thing |
        | hats  |
        | hats  |

      Examples: Others
        | thing |
        | coats |
"""

COATS = LOOKING.splitlines().index("        | coats |") + 1

FIRE = """\
Feature: Fire
  Scenario: The shop burns
    When the customer looks at hats
    And the shop burns down
    Then the event "look" is seen
"""

STATUSES = {
    "A look": "passed passed passed",
    "Another thing": "passed passed failed skipped",
    "An unknown step": "passed undefined skipped",
    "A step that skips": "passed skipped skipped",
    "A scenario that is skipped": "before:skipped skipped skipped",
    "A scenario that is to fail": "passed skipped",
    "A fixture that fails": "passed failed",
    "An end that fails": "passed passed after:failed",
    "A look at hats": "passed passed passed undefined",
    "A look at coats": "passed passed passed undefined",
}


@pytest.fixture
def features(project: pytest.Pytester) -> pytest.Pytester:
    project.makeini(
        "[pytest]\npythonpath = .\nnarration_steps = true\nmarkers =\n    window: of a shop\n"
    )
    project.makeconftest(CONFTEST)
    (project.mkdir("features") / "look.feature").write_text(LOOKING, "utf-8")
    return project


def messages(project: pytest.Pytester) -> list[dict[str, Any]]:
    """Return the messages that were written, each valid by the standard's schema."""
    schema = json.loads((SCHEMAS / "messages.schema.json").read_text())
    valid = jsonschema.Draft202012Validator(schema)
    lines = (project.path / MESSAGES).read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    for message in found:
        valid.validate(message)
    return found


def features_of(project: pytest.Pytester) -> list[dict[str, Any]]:
    """Return the Cucumber JSON that was written, valid by the schema of cucumber-jvm."""
    schema = json.loads((SCHEMAS / "cucumber-jvm.schema.json").read_text())
    texts = {name: {"type": "string"} for name in ("data", "mime_type", "name")}
    embedding = {"type": "object", "additionalProperties": False, "properties": texts}
    embedding["required"] = ["data", "mime_type"]
    of_step = schema["definitions"]["JvmStep"]["properties"]
    of_step["embeddings"] = {"type": "array", "items": embedding}
    found: list[dict[str, Any]] = json.loads((project.path / JSON).read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(found)
    return found


def statuses(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return ``(scenario, statuses of its hooks and steps)`` of messages, in their order."""
    names = {m["pickle"]["id"]: m["pickle"]["name"] for m in found if "pickle" in m}
    hooks = {m["hook"]["id"]: m["hook"]["type"] for m in found if "hook" in m}
    told: dict[str, list[str]] = {}
    title: dict[str, str] = {}
    steps: dict[str, str] = {}
    for message in found:
        if case := message.get("testCase"):
            title[case["id"]] = names[case["pickleId"]]
            for step in case["testSteps"]:
                kind = hooks.get(step.get("hookId", ""), "").partition("_")[0].lower()
                steps[step["id"]] = f"{kind}:" if kind else ""
        if started := message.get("testCaseStarted"):
            told[started["id"]] = [title[started["testCaseId"]]]
        if ended := message.get("testStepFinished"):
            status = ended["testStepResult"]["status"].lower()
            told[ended["testCaseStartedId"]].append(steps[ended["testStepId"]] + status)
    return [(name, " ".join(each)) for name, *each in told.values()]


@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["serial", "xdist"])
def test_reports_are_valid_and_have_every_scenario_in_the_order_of_the_files(
    features: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    result = run(*BDD, *extra, *WRITE)

    found = messages(features)
    ran = statuses(found)
    assert list(dict(ran).items()) == list(STATUSES.items())
    assert [name for name, _ in ran].count("A look at hats") == 2
    assert found[-1]["testRunFinished"]["success"] is False
    [suggestion, *_] = [m["suggestion"] for m in found if "suggestion" in m]
    assert "the customer juggles {number_1:d} hats" in suggestion["snippets"][0]["code"]
    result.stdout.fnmatch_lines(["Cucumber messages of 11 scenarios written to *run.ndjson"])

    [feature] = features_of(features)
    elements = [element for element in feature["elements"] if element["type"] == "scenario"]
    assert list({element["name"]: None for element in elements}) == list(STATUSES)
    *_, coats = elements
    assert (coats["id"], coats["line"]) == ("looking;a-look-at-coats;;4", COATS)
    assert coats["steps"][1]["doc_string"]["value"] == '{"thing": "coats"}'
    background = feature["elements"][-2]
    assert [step["name"] for step in background["steps"]] == [
        "I wait at most 20 ms",
        'I call "a" "b"',
    ]
    table = elements[1]["steps"][1]
    assert table["rows"] == [{"cells": ["item", "boots"]}]
    assert table["result"]["error_message"].startswith("waited ")


ARGUMENTS = """\
Feature: Arguments
  Scenario: Some
    When the customer looks at 👟 hats
    Then between 0 and 2 events "look" of "cart" are seen within 1 ms
    And the shop has 3 doors
    And everything is quiet
"""


def test_readers_learn_which_parts_of_a_step_are_arguments(
    features: pytest.Pytester, run: Run
) -> None:
    (features.path / "features" / "look.feature").write_text(ARGUMENTS, "utf-8")
    with (features.path / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n@then(parsers.re(r'the shop has (?P<count>[0-9]+) (doors|windows)(?P<not>!)?'))\n"
            "def _has(count):\n    pass\n"
        )

    run(*BDD, *WRITE)

    found = messages(features)
    [case] = [m["testCase"] for m in found if "testCase" in m]
    texts = {s["id"]: s["text"] for m in found if "pickle" in m for s in m["pickle"]["steps"]}
    told = {}
    for step in case["testSteps"]:
        text = texts[step["pickleStepId"]].encode("utf-16-le")
        [arguments] = [a["stepMatchArguments"] for a in step["stepMatchArgumentsLists"]]
        told[text.decode("utf-16-le")] = [
            (argument.get("parameterTypeName"), argument["group"]["value"])
            for argument in arguments
        ]
        for group in (argument["group"] for argument in arguments):
            begin, value = 2 * group["start"], group["value"].encode("utf-16-le")
            assert text[begin : begin + len(value)] == value
    assert told == {
        "the customer looks at 👟 hats": [(None, "👟 hats")],
        'between 0 and 2 events "look" of "cart" are seen within 1 ms': [
            ("amount", "between 0 and 2"),
            ("events", 'events "look" of "cart"'),
            ("duration", "1 ms"),
        ],
        "the shop has 3 doors": [(None, "3")],
        "everything is quiet": [],
    }


UNREAD = {
    "features/twice.feature": "Feature: A\n" + "  Scenario: B\n    Given a\n" * 2,
    "features/wrong.feature": "Feature: A\n  Scenario: B\n    Given a\n    | b |\n    | b | c |\n",
    "other/bound.feature": "Feature: A\n  Scen: B\nScenario: C\n  Whenn b\n  Given c\n  Scen: D\n",
}


@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["serial", "xdist"])
def test_what_could_not_be_read_is_in_the_messages_with_its_place(
    features: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    features.mkdir("other")
    for name, text in UNREAD.items():
        (features.path / name).write_text(text, "utf-8")
    features.makepyfile(test_it="from pytest_bdd import scenarios\nscenarios('other')\n")

    run(*BDD, *extra, "--continue-on-collection-errors", *WRITE)

    found = messages(features)
    errors = [m["parseError"] for m in found if "parseError" in m]
    places = [(e["source"]["uri"], e["source"].get("location", {}).get("line")) for e in errors]
    assert places == [
        ("features/twice.feature", None),
        ("features/wrong.feature", 5),
        ("other/bound.feature", 6),
    ]
    assert (
        "two scenarios are named 'B', and only the last of them would run" in errors[0]["message"]
    )
    assert errors[1]["message"] == "(5:5): inconsistent cell count within the table"
    sources = {m["source"]["uri"]: m["source"]["data"] for m in found if "source" in m}
    assert {uri: sources[uri] for uri in UNREAD} == UNREAD
    assert found[-1]["testRunFinished"]["success"] is False


def test_a_worker_that_crashes_loses_no_scenario(features: pytest.Pytester, run: Run) -> None:
    (features.path / "features" / "fire.feature").write_text(FIRE, "utf-8")

    run(*BDD, "-n2", *WRITE)

    found = messages(features)
    skipped = "skipped skipped skipped after:failed"
    assert dict(statuses(found)) == STATUSES | {"The shop burns": skipped}
    results = [m["testStepFinished"]["testStepResult"] for m in found if "testStepFinished" in m]
    assert any("crashed while running" in result.get("message", "") for result in results)
    fire, _ = features_of(features)
    assert fire["elements"][0]["after"][0]["result"]["status"] == "failed"


def test_stories_and_captured_lines_are_attached_without_secrets(
    features: pytest.Pytester, run: Run
) -> None:
    run(*BDD, "-k", "test_a_look and not thing or another", *WRITE)

    attached = [m["attachment"] for m in messages(features) if "attachment" in m]
    story = "cart  cart `look`  Looked at shoes  [stdout]"
    assert [a["fileName"] for a in attached if a["body"] == story] == ["story.txt"]
    lines = next(a["body"] for a in attached if a["fileName"] == "captured-lines.ndjson")
    assert json.loads(lines)["event"]["action"] == "look"
    printed = next(a["body"] for a in attached if a["fileName"] == "Captured stdout call.txt")
    assert printed.startswith("token: [REDACTED]")
    assert not any("abcdefghij" in a["body"] for a in attached)
    assert "timeline.txt" in {a["fileName"] for a in attached}

    [feature] = features_of(features)
    [step] = [s for e in feature["elements"] for s in e["steps"] if _is_failed(s)]
    embedded = {e["name"]: base64.b64decode(e["data"]).decode() for e in step["embeddings"]}
    assert embedded["story.txt"] == "cart  cart `look`  Looked at hats  [stdout]"


def _is_failed(step: dict[str, Any]) -> bool:
    return bool(step["result"]["status"] == "failed")


def test_the_ini_file_may_ask_for_reports(features: pytest.Pytester, run: Run) -> None:
    features.makeini(
        "[pytest]\npythonpath = .\nnarration_steps = true\nmarkers = window: x\n"
        f"narration_cucumber = messages:{MESSAGES}\n"
    )

    run(*BDD, "-k", "test_a_look")

    assert ("A look", STATUSES["A look"]) in statuses(messages(features))


WRONG = {
    "html": "--narration-cucumber: unknown type 'html' in 'html'; choose from messages, json",
    "json:": "--narration-cucumber: 'json:' has an empty destination after the colon",
    "json:features": "the report json: *features is a folder; name a file",
}


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_value_is_refused_before_the_run(
    features: pytest.Pytester, run: Run, value: str
) -> None:
    result = run(*BDD, f"--narration-cucumber={value}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {WRONG[value]}"])


def test_where_pytest_bdd_is_not_installed_the_extra_is_named(
    project: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither it nor the parser that came with it can be imported."""
    (project.mkdir("hidden") / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'pytest_bdd' else "
        "find(name, *a)\n"
        "sys.modules |= {'pytest_bdd': None, 'gherkin': None}\n",
        "utf-8",
    )
    paths = [str(project.path / "hidden"), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    result = run("--narration-cucumber=json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ['ERROR: --narration-cucumber: pytest-bdd is needed *"pytest-narration[[]bdd]"']
    )


def test_without_pytest_bdd_it_says_what_is_missing(project: pytest.Pytester, run: Run) -> None:
    result = run("--narration-cucumber=json")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --narration-cucumber needs the plugin pytest-bdd, *"])
