"""``--narration-coverage``: measures, tells what is missing, and saves."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

_ALL = """
    import shop

    def test_start():
        shop.start()

    def test_checkout(narration_capture):
        with_channel = narration_capture.channel("j-1")
        shop.checkout(with_channel)

    def test_look():
        shop.look()

    def test_refused():
        shop.refuse()
"""


def test_points_are_counted_and_the_missing_ones_named(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import shop

        def test_start():
            shop.start()

        def test_look():
            shop.look()

        def test_checkout():
            shop.checkout()
        """
    )

    result = run("--narration-coverage")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*narration coverage: shop*",
            "Group*Points*Covered*Partial*Missed*Excluded*Cover*",
            "Cart*5*2*1*1*1*50.00%",
            "TOTAL*5*2*1*1*1*50.00%",
            "by reach:*request 1/2 50.00%, error 0/1 0.00%, lifecycle 1/1 100.00%",
            "channels:*stdout 3/4 75.00%, sse 0/1 0.00%",
            "hardware:*1 point excluded, absent here: hologram; over all declared 2/5 40.00%",
            "Missing:",
            "  cart.refused  narration.toml:34",
            "*cart error “Payment refused: {error_kind}” on stdout",
            "Partial, counted as missed:",
            "*cart.checkout*seen on stdout, never on sse",
            "Excluded:",
            "*cart.hologram: needs hologram",
        ]
    )


def test_the_same_numbers_come_from_one_process_and_from_two_workers(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_ALL)

    one = run("--narration-coverage")
    serial = _saved(project)
    two = run("--narration-coverage", "-n2")

    assert _table(one) == _table(two)
    assert _saved(project) == serial
    (module,) = (path.name for path in project.path.glob("test_*.py"))
    names = ("checkout", "look", "refused", "start")
    assert serial["contexts"] == [f"{module}::test_{name}" for name in names]


def test_tests_that_choose_the_same_id_each_cover_what_they_reach(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop

        def test_one(narration_capture):
            shop.checkout(narration_capture.channel("j-1"))

        def test_two(narration_capture):
            shop.checkout(narration_capture.channel("j-1"))
        """
    )

    run("--narration-coverage")
    serial = _saved(project)
    run("--narration-coverage", "-n2")

    assert _saved(project) == serial
    assert len(serial["contexts"]) == 2


def test_coverage_falls_exactly_by_the_points_of_deselected_tests(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_ALL)

    full = run("--narration-coverage")
    less = run("--narration-coverage", "-k", "not look")

    full.stdout.fnmatch_lines(["TOTAL*5*4*0*0*1*100.00%"])
    less.stdout.fnmatch_lines(["TOTAL*5*3*0*1*1*75.00%", "Missing:", "*cart.look*"])


def test_what_a_test_brings_in_a_recorder_of_its_own_counts_too(
    project: pytest.Pytester, run: Run
) -> None:
    """Also what arrives there after the test looked at it, and once however often it looks."""
    project.makepyfile(
        """
        import json
        import sys
        import pytest
        from pytest_narration.recorder import Recorder
        from pytest_narration.sources import ProcessSource

        START = {"action": "startup", "human": "Starting on port 80"}
        LOOK = {"action": "look", "human": "Looked at shoes"}

        def say(recorder, **event):
            line = json.dumps({"service": "cart", "actor": "cart", **event})
            with ProcessSource([sys.executable, "-c", f"print('{line}')"], "cart", recorder) as it:
                it.wait(20)

        @pytest.fixture(scope="module")
        def second():
            return Recorder()

        @pytest.fixture
        def beside(second, narration):
            return narration.beside(second, second.mark())

        def test_start(second, beside, narration):
            say(second, **START)
            assert [event.action for event in beside.events()] == ["startup"]
            assert narration.events() == []

        def test_look(second, beside):
            assert beside.events() == []
            say(second, **LOOK)
            (verdict,) = beside.check(["editorial"])
            assert verdict.outcome == "held"
        """,
    )

    result = run("--narration-coverage")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["Cart*5*2*0*2*1*50.00%"])


def test_events_of_known_services_that_no_point_declares_are_listed(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop

        def test_it():
            shop.narrate("wave", "Waving at {who}", actor="cart", who="you")
        """
    )

    result = run("--narration-coverage")

    result.stdout.fnmatch_lines(
        ["Undeclared, seen but in no catalog:", "  cart: cart wave “Waving at {who}” on stdout"]
    )


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_a_run_without_events_is_an_error_with_an_explanation(
    project: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    project.makepyfile("def test_silent(): pass")

    result = run("--narration-coverage", *extra)

    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["ERROR: no narration event was seen in the whole run*", "*declares services cart.*"]
    )


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_a_run_with_events_of_other_services_only_is_an_error_that_names_them(
    project: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    path = project.path / "narration.toml"
    path.write_text(path.read_text().replace('service = "cart"', 'service = "card"'))
    project.makepyfile(_ALL)

    result = run("--narration-coverage", "--narration-fail-under=0", *extra)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "ERROR: no narration event came from a service of the catalog, so there is*",
            "  Events came from services cart.",
            "  The catalog declares services card.",
        ]
    )
    result.stdout.no_fnmatch_line("*Required narration coverage*")


def test_no_tests_collected_keeps_pytests_own_exit_code(project: pytest.Pytester, run: Run) -> None:
    result = run("--narration-coverage", "--narration-fail-under=80")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not (project.path / ".narration-coverage").exists()


def test_without_a_catalog_the_commands_that_make_one_are_offered(
    pytester: pytest.Pytester, run: Run
) -> None:
    result = run("--narration-coverage")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*no catalog*narration_catalog*",
            "*narration catalog scan PATH*",
            "*narration catalog learn*",
        ]
    )


def test_a_wrong_catalog_is_a_usage_error_with_its_line(project: pytest.Pytester, run: Run) -> None:
    path = project.path / "narration.toml"
    path.write_text(path.read_text().replace('level = "warn"', 'level = "loud"'))

    result = run("--narration-coverage")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*narration.toml:40: points[[]3] (cart.refused) level: 'loud'*"])


def test_a_test_path_taken_for_a_catalog_is_explained(project: pytest.Pytester, run: Run) -> None:
    result = run("--narration-coverage", "tests")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'tests' is not a catalog*put them before the option*"])


def test_catalogs_are_named_by_the_option_or_by_the_ini_file(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_ALL)
    (project.path / "narration.toml").rename(project.path / "points.toml")

    by_option = run("--narration-coverage=points.toml")
    by_ini = run("--narration-coverage", "-o", "narration_catalog=points.toml")

    assert _table(by_option) == _table(by_ini)
    by_option.stdout.fnmatch_lines(["TOTAL*100.00%"])


def test_an_interrupted_run_keeps_what_it_had(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import shop

        def test_start():
            shop.start()

        def test_interrupted():
            shop.look()
            raise KeyboardInterrupt

        def test_refused():
            shop.refuse()
        """
    )

    result = run("--narration-coverage", "--narration-fail-under=100")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert {sighting[2] for sighting in _saved(project)["sightings"]} == {"startup", "look"}
    result.stdout.fnmatch_lines(["The run was cut short: no gate was applied."])


def test_a_run_that_stops_at_its_first_failure_keeps_what_it_had_and_fails(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import shop

        def test_start():
            shop.start()
            assert False

        def test_look():
            shop.look()
        """
    )

    result = run("--narration-coverage", "--narration-fail-under=0", "-x")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {sighting[2] for sighting in _saved(project)["sightings"]} == {"startup"}
    result.stdout.fnmatch_lines(["TOTAL*25.00%", "The run was cut short: no gate was applied."])


def test_a_failing_test_still_exercises_what_it_reached(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import shop

        def test_start():
            shop.start()
            assert False
        """
    )

    result = run("--narration-coverage", "--narration-fail-under=25")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["Required narration coverage of 25% reached*"])


def test_a_crashed_worker_loses_only_its_running_test(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(
        """
        import os
        import shop

        def test_a():
            shop.start()

        def test_b():
            shop.look()
            os._exit(3)

        def test_c():
            shop.refuse()
        """
    )

    run("--narration-coverage", "-n1", "--max-worker-restart=1")

    assert {sighting[2] for sighting in _saved(project)["sightings"]} == {"startup", "error"}


@pytest.mark.parametrize("option", ["--collect-only", "--setup-only", "--setup-plan"])
def test_a_call_that_runs_no_test_measures_nothing(
    project: pytest.Pytester, run: Run, option: str
) -> None:
    project.makepyfile(_ALL)

    result = run("--narration-coverage", option, "-q")

    assert result.ret == 0
    assert not (project.path / ".narration-coverage").exists()
    result.stdout.no_fnmatch_line("*narration coverage*")


def test_the_data_file_can_be_named(
    project: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(_ALL)

    run("--narration-coverage", "-o", "narration_data_file=out/shard-1")
    monkeypatch.setenv("NARRATION_COVERAGE_FILE", "out/shard-2")
    run("--narration-coverage")

    assert sorted(p.name for p in (project.path / "out").iterdir()) == ["shard-1", "shard-2"]


def _saved(project: pytest.Pytester) -> dict[str, list[list[str]]]:
    """Return the saved data without its evidence, whose ids and times differ between runs."""
    document = json.loads((project.path / ".narration-coverage").read_text(encoding="utf-8"))
    del document["evidence"]
    return document  # type: ignore[no-any-return]  # our own format


def _table(result: pytest.RunResult) -> list[str]:
    lines = result.stdout.lines
    start = next(n for n, line in enumerate(lines) if line.startswith("Group"))
    return lines[start : next(n for n, s in enumerate(lines) if n > start and s.startswith("=="))]
