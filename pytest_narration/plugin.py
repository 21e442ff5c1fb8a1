"""The pytest plugin: options, marker and fixtures of narration; everything else on first use.

This module is imported by every pytest run in an environment that has the package, so it imports
only pytest, and it keeps no hook running that a run did not ask for: the hooks that watch tests
are registered by the first fixture or option that needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ._plugin_capture import Capture
    from ._plugin_narration import Narration
    from .recorder import Recorder
    from .snapshot.approval import StorySnapshot

__all__ = [
    "narration",
    "narration_capture",
    "narration_cluster",
    "narration_recorder",
    "story_snapshot",
]

_MARKER = (
    "narration(rules=None, allow=()): judge this test's events by the rules named, all by "
    'default, except {"rule-id": "reason"}; a broken or inconclusive rule fails the test.'
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; see the pages on coverage and fixtures in the documentation."""
    group = parser.getgroup("narration", "narration: coverage and rules of what services narrate")
    group.addoption(
        "--narration-coverage",
        action="append",
        nargs="?",
        const="",
        metavar="CATALOG",
        help="Measure which declared narration points the tests exercise; CATALOG defaults to "
        "the ini option narration_catalog, else narration.toml. Repeatable.",
    )
    group.addoption(
        "--narration-fail-under",
        action="append",
        metavar="MIN",
        help="Fail below MIN percent of points, or DIMENSION=MIN with points, channels, "
        "correlation, hops, outcomes. Repeatable.",
    )
    group.addoption(
        "--narration-report",
        action="append",
        metavar="TYPE[:DEST]",
        help="Report: term, term-missing (default), json, html, lcov, xml, markdown, badge. "
        "Repeatable; an empty value prints none.",
    )
    group.addoption(
        "--narration-cucumber",
        action="append",
        metavar="TYPE[:DEST]",
        help="Report of Gherkin scenarios, with stories and captured lines: messages, json. "
        "Repeatable; needs pytest-bdd.",
    )
    group.addoption(
        "--narration-strict",
        action="store_true",
        help="Fail a test when its events break any rule or a line cannot be read as an event.",
    )
    group.addoption(
        "--narration-lint",
        action="store_true",
        help="Add one item for each file that [tool.narration.lint] names: it fails where the "
        "source narrates past the facade.",
    )
    parser.addini("narration_catalog", "Paths of catalogs, one a line.", type="linelist")
    parser.addini("narration_fail_under", "MIN or DIMENSION=MIN, one a line.", type="linelist")
    parser.addini("narration_report", "TYPE[:DEST], one a line.", type="linelist")
    parser.addini("narration_cucumber", "TYPE[:DEST], one a line.", type="linelist")
    parser.addini("narration_data_file", "Coverage data; .narration-coverage by default.")
    parser.addini("narration_strict", "The same as --narration-strict.", type="bool", default=False)
    parser.addini(
        "narration_cluster",
        "module:factory of the fixture narration_cluster; factory(recorder) returns a context "
        "manager that starts and stops the services.",
    )
    parser.addini(
        "narration_steps",
        "Load the library of Gherkin phrases; needs pytest-bdd.",
        type="bool",
        default=False,
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks of :mod:`pytest_narration.hookspec`."""
    from . import hookspec

    pluginmanager.add_hookspecs(hookspec)


def pytest_configure(config: pytest.Config) -> None:
    """Start what the options ask for, and nothing else."""
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("narration_coverage") is not None:
        from ._plugin_coverage import start

        start(config)
    elif config.getoption("narration_fail_under") or config.getoption("narration_report"):
        from ._plugin_options import without_coverage

        without_coverage(config)
    if config.getoption("narration_strict") or config.getini("narration_strict"):
        from ._plugin_watch import watch_all

        watch_all(config)
    if config.getoption("narration_lint"):
        from ._plugin_lint import add_items

        add_items(config)
    if config.getini("narration_steps"):
        from ._plugin_steps import load

        load(config)
    if config.getoption("narration_cucumber") or config.getini("narration_cucumber"):
        from ._plugin_options import needs_pytest_bdd

        needs_pytest_bdd("--narration-cucumber")
        from ._plugin_cucumber import start as report_scenarios

        report_scenarios(config)
    if config.getoption("tx", None) and not hasattr(config, "workerinput"):
        # The events are in the workers; their counts arrive here with the reports.
        from ._plugin_receiver import receive
        from ._plugin_stories import keep_uncompared

        receive(config)
        keep_uncompared(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give marked tests the fixture whose events their rules judge."""
    marked = [item for item in items if item.get_closest_marker("narration") is not None]
    if marked:
        from ._plugin_watch import watch_items

        watch_items(config, marked)


@pytest.hookimpl(optionalhook=True)
def pytest_bdd_before_scenario(request: pytest.FixtureRequest, feature: Any, scenario: Any) -> None:
    """Watch the scenario: asynchronous steps run, and failures explain themselves."""
    from ._plugin_steps import scenario_begins

    scenario_begins(request, feature, scenario)


@pytest.fixture
def narration(request: pytest.FixtureRequest) -> Iterator[Narration]:
    """What was narrated since this test began, by services and in process; waits and rules."""
    from ._plugin_session import session_of

    yield from session_of(request.config).narration(request.node.nodeid)


@pytest.fixture
def narration_capture(request: pytest.FixtureRequest) -> Iterator[Capture]:
    """What this test narrates in process, its threads and tasks included, and nothing else."""
    from ._plugin_session import session_of

    yield from session_of(request.config).capture(request.node.nodeid)


@pytest.fixture(scope="session")
def narration_recorder(request: pytest.FixtureRequest) -> Recorder:
    """The recorder of the whole session, for sources of one's own to feed."""
    from ._plugin_session import session_of

    return session_of(request.config).recorder


@pytest.fixture(scope="session")
def narration_cluster(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The running services, started once by the factory that the ini option names."""
    __tracebackhide__ = True
    from ._plugin_session import session_of

    yield from session_of(request.config).cluster()


@pytest.fixture
def story_snapshot(request: pytest.FixtureRequest) -> StorySnapshot:
    """The approved form of this test's story: ``assert story == story_snapshot``."""
    __tracebackhide__ = True
    from ._plugin_stories import story_snapshot_of

    return story_snapshot_of(request)
