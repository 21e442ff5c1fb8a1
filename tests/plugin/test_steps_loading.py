"""How the library comes into a project, beside the steps and features that the project has."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run

BDD = ("-p", "pytest_bdd.plugin")

OWN_STEPS = '''
"""Steps of the project: one of its own, and one that the library has too."""
from pytest_bdd import given, then, when

from pytest_narration.steps.scene import Scene


@when("the customer looks")
def _looks(narration):
    import shop
    shop.look()


@then("every rule holds")
def _own(narration):
    print("the project's own rule")
'''

FEATURE = """\
Feature: A shop
  Scenario: A visit
    When the customer looks
    Then the event "look" is seen
    And every rule holds
"""


@pytest.fixture
def own(project: pytest.Pytester) -> pytest.Pytester:
    """A project with folders ``steps`` and ``features`` of its own."""
    (project.mkdir("features") / "visit.feature").write_text(FEATURE, "utf-8")
    folder = project.mkdir("steps")
    (folder / "__init__.py").write_text("", "utf-8")
    (folder / "visits.py").write_text(OWN_STEPS, "utf-8")
    project.makepyfile(test_it="from pytest_bdd import scenarios\nscenarios('features')\n")
    return project


INI = "[pytest]\npythonpath = .\n"
BY_INI = (f"{INI}narration_steps = true\n", "from steps.visits import *\n")
BY_PLUGINS = (INI, 'pytest_plugins = ["pytest_narration.steps"]\nfrom steps.visits import *\n')
BY_BOTH = (BY_INI[0], BY_PLUGINS[1])
AS_PLUGIN = (INI, 'pytest_plugins = ["pytest_narration.steps", "steps.visits"]\n')


@pytest.mark.parametrize(
    ("ini", "conftest"),
    [BY_INI, BY_PLUGINS, BY_BOTH, AS_PLUGIN],
    ids=["ini option", "pytest_plugins", "both", "own steps as a plugin"],
)
@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["serial", "xdist"])
def test_the_library_is_loaded_and_a_step_of_the_project_takes_precedence(
    own: pytest.Pytester, run: Run, ini: str, conftest: str, extra: tuple[str, ...]
) -> None:
    own.makeini(ini)
    own.makeconftest(conftest)

    result = run(*BDD, *extra, "-rP")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["the project's own rule"])


def test_a_step_in_the_test_module_takes_precedence_over_the_library(
    own: pytest.Pytester, run: Run
) -> None:
    own.makeini(BY_INI[0])
    own.makepyfile(
        test_it="from steps.visits import *\nfrom pytest_bdd import scenarios\n"
        "scenarios('features')\n"
    )

    run(*BDD, "-rP").stdout.fnmatch_lines(["the project's own rule"])


def test_without_pytest_bdd_the_extra_is_named(
    own: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is asked for in an environment that has no pytest-bdd."""
    own.makeini(BY_INI[0])
    hidden = own.mkdir("hidden")
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'pytest_bdd' else "
        "find(name, *a)\n",
        "utf-8",
    )
    paths = [str(hidden), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))

    result = run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: ini option narration_steps: pytest-bdd is needed for this and is not "
            'installed: pip install "pytest-narration[[]bdd]"'
        ]
    )

    own.makeini(BY_PLUGINS[0])
    own.makeconftest(BY_PLUGINS[1])

    result = run()

    assert result.ret != pytest.ExitCode.OK
    assert 'pip install "pytest-narration[bdd]"' in result.stderr.str() + result.stdout.str()


def test_with_pytest_bdd_switched_off_the_plugin_is_named(own: pytest.Pytester, run: Run) -> None:
    own.makeini(BY_INI[0])

    result = run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*needs the plugin pytest-bdd, which is installed and not loaded*"]
    )


def test_the_plugin_without_the_library_imports_no_pytest_bdd(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import sys

        def test_it(narration):
            assert "pytest_bdd" not in sys.modules
            assert "pytest_narration.steps" not in sys.modules
        """
    )

    run().assert_outcomes(passed=1)


def test_the_scenarios_state_is_a_fixture_that_steps_of_the_project_may_use(
    own: pytest.Pytester, run: Run
) -> None:
    own.makeini(BY_INI[0])
    own.makeconftest(
        """
        import sys
        from pytest_bdd import given, when

        @given("a server of our own")
        def _server(narration_scene):
            narration_scene.patience = 0.05
            narration_scene.saved["word"] = "shoes"

        @when("the customer looks")
        def _look(narration_scene):
            import shop
            shop.look(narration_scene.fill("${word}"))
        """
    )
    (own.path / "features" / "visit.feature").write_text(
        """\
Feature: A shop
  Scenario: A visit
    Given a server of our own
    When the customer looks
    Then the event "look" with "item" = "${word}" is seen
""",
        "utf-8",
    )

    run(*BDD).assert_outcomes(passed=1)
