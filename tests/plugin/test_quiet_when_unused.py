"""A run that does not use the plugin does not notice it."""

from __future__ import annotations

import os
import sys

import pytest

from .conftest import ROOT, Run


def test_an_unused_plugin_prints_nothing_writes_nothing_and_imports_nothing_of_ours(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            ours = {m for m in sys.modules if m.startswith("pytest_narration")}
            assert ours == {
                "pytest_narration", "pytest_narration.plugin", "pytest_narration.hookspec"
            }
            assert not {"msgspec", "jsonschema", "httpx"} & set(sys.modules)
            names = [name for name, _ in pytestconfig.pluginmanager.list_name_plugin()]
            assert [name for name in names if "narration" in name] == ["pytest_narration.plugin"]
        """
    )
    before = {path.name for path in pytester.path.iterdir()}

    result = run()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*narration*coverage*")
    after = {path.name for path in pytester.path.iterdir()} - {"__pycache__", "stdout", "stderr"}
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "outcome"), [((), {"passed": 1}), (("-p", "no:narration"), {"errors": 1})]
)
def test_an_installed_plugin_is_loaded_by_its_entry_point_and_can_be_blocked(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    outcome: dict[str, int],
) -> None:
    info = pytester.mkdir("site") / "pytest_narration-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pytest-narration\nVersion: 0.1.0\n"
    )
    (info / "entry_points.txt").write_text("[pytest11]\nnarration = pytest_narration.plugin\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(info.parent)]))
    pytester.makepyfile("def test_it(narration): pass")

    result = pytester.run(sys.executable, "-m", "pytest", *arguments, timeout=300)

    result.assert_outcomes(**outcome)


def test_the_options_explain_themselves(pytester: pytest.Pytester, run: Run) -> None:
    result = run("--help")

    result.stdout.fnmatch_lines_random(
        [
            "*--narration-coverage*",
            "*--narration-fail-under=MIN*",
            "*--narration-report=TYPE*",
            "*--narration-strict*",
            "*narration_cluster*",
        ]
    )


def test_the_marker_is_registered(pytester: pytest.Pytester, run: Run) -> None:
    run("--markers").stdout.fnmatch_lines(["@pytest.mark.narration(rules=None, allow=()):*"])
