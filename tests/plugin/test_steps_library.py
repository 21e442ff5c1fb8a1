"""The library in a project of somebody else: every phrase runs, against real services."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from pytest_narration.steps.listing import all_phrases

from .conftest import Run

PROJECT = Path(__file__).parents[1] / "data" / "steps"
BDD = ("-p", "pytest_bdd.plugin", "-p", "syrupy")

# Phrases that need an engine that runs containers; tests/unit/cluster has their tests.
CONTAINERS = {
    "the docker compose project {string} is attached",
    "the container {string} is attached as {string}",
}


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with two services, a catalog, a log and features, but no step of its own."""
    shutil.copytree(PROJECT, pytester.path, dirs_exist_ok=True)
    pytester.makepyfile(test_features="from pytest_bdd import scenarios\nscenarios('.')\n")
    monkeypatch.setenv("PYTHON", sys.executable)
    return pytester


def steps_of(features: Path) -> list[str]:
    lines = [
        line.strip()
        for path in features.rglob("*.feature")
        for line in path.read_text("utf-8").splitlines()
    ]
    found = [re.fullmatch(r"(?:Given|When|Then|And|But) (.*)", line) for line in lines]
    # The value of an outline stands for a number in the features of this project.
    return [re.sub(r"<\w+>", "1", match[1]) for match in found if match]


def test_every_phrase_is_used_by_the_features_of_this_project() -> None:
    used = steps_of(PROJECT / "features")

    unused = {p.text for p in all_phrases() if not any(map(p.is_matching, used))}

    assert unused == CONTAINERS


def test_all_phrases_work_and_what_they_wait_for_is_not_missed_under_xdist(
    shop: pytest.Pytester, run: Run
) -> None:
    result = run(*BDD, "-n2", "--dist=load")

    result.assert_outcomes(passed=17)
    assert result.ret == 0


@pytest.mark.parametrize(
    ("seed", "extra"),
    # By its short name, by which random-order asks for it.
    [("1", ()), ("2", ("-p", "xdist", "--numprocesses=2"))],
    ids=["serial", "xdist"],
)
def test_all_phrases_work_in_any_order(
    shop: pytest.Pytester, run: Run, seed: str, extra: tuple[str, ...]
) -> None:
    result = run(
        *BDD, "-p", "random_order.plugin", "--random-order", f"--random-order-seed={seed}", *extra
    )

    result.assert_outcomes(passed=17)


def test_scenarios_do_not_depend_on_their_order(shop: pytest.Pytester, run: Run) -> None:
    """One that kills a service comes before those that need it, and after."""
    shop.makeconftest(
        """
        def pytest_collection_modifyitems(items):
            items.reverse()
        """
    )
    feature = shop.path / "features" / "broken.feature"
    feature.write_text(
        """
Feature: A broken cluster
  Scenario: The shop dies
    Given the cluster is running
    When the service "shop" is killed
    Then the service "shop" ends with exit code -9

  Scenario: The shop serves
    Given the cluster is running
    When I send GET "/health" to "shop"
    Then the answer is 200

  Scenario: The bank is stopped
    Given the cluster is running
    When the service "bank" is stopped
    And I send GET "/health" to "shop"
    Then the answer is 200
""",
        "utf-8",
    )
    shop.makepyfile(test_features="from pytest_bdd import scenarios\nscenarios('broken.feature')\n")

    run(*BDD, "test_features.py").assert_outcomes(passed=3)
    (shop.path / "conftest.py").unlink()
    run(*BDD, "test_features.py").assert_outcomes(passed=3)


def test_nothing_is_left_running_after_the_session(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        test_features="""
        from pytest_bdd import scenarios, then
        scenarios("orders.feature")

        def test_address(narration_cluster):
            with open("pids", "w") as file:
                file.write(" ".join(str(service.pid) for service in narration_cluster))
        """
    )

    run(*BDD, "-k", "address").assert_outcomes(passed=1)

    pids = (shop.path / "pids").read_text("utf-8").split()
    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
