"""``narration_cluster`` and ``narration``: services of one's own, one test's view of them."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

_CLUSTER = '''
"""A service in a process: prints JSON lines on demand; a thread feeds the recorder."""
import contextlib, os, subprocess, sys, threading
from pytest_narration.wire import Rejected, decode

SERVICE = """
import json, sys
n = 0
def say(action, template, **fields):
    global n
    n += 1
    event = dict(event_id=f"e-{n}", timestamp="2026-01-01T00:00:00.000Z", level="info",
                 service="cart", emitted_by="cart@1", instance="i-1", seq=n, actor="cart",
                 action=action, template=template, human=template.format(**fields), **fields)
    print(json.dumps(event), flush=True)
say("startup", "Starting on port {port}", port=80)
for line in sys.stdin:
    word, _, rest = line.strip().partition(" ")
    if word == "look":
        say("look", "Looked at {item}", item=rest, correlation_id="c-" + rest)
    else:
        print(line.strip(), flush=True)
say("show", "Showing in three dimensions")
"""

class Cart:
    def __init__(self, process):
        self.process = process

    def tell(self, line):
        self.process.stdin.write(line + chr(10))
        self.process.stdin.flush()

@contextlib.contextmanager
def cluster(recorder):
    process = subprocess.Popen([sys.executable, "-c", SERVICE], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    def read():
        for line in process.stdout:
            found = decode(line.encode(), source="cart")
            if isinstance(found, Rejected):
                recorder.add_rejected(found)
            else:
                recorder.add_event(found, source="cart")
    reader = threading.Thread(target=read)
    reader.start()
    try:
        recorder.wait_for(action="startup", timeout=10)
        yield Cart(process)
    finally:
        process.stdin.close()
        reader.join(10)
        process.stdout.close()
        process.wait(10)
'''

_INI = "[pytest]\npythonpath = .\nnarration_cluster = services:cluster\n"


@pytest.fixture
def clustered(project: pytest.Pytester) -> pytest.Pytester:
    project.makepyfile(services=_CLUSTER)
    project.makeini(_INI)
    return project


_TESTS = """
    def test_one(narration, narration_cluster):
        assert narration.events() == []
        narration_cluster.tell("look hats")
        narration.wait_for(action="look", item="hats")

    def test_two(narration_cluster, narration, narration_recorder):
        assert narration.events() == []
        narration_cluster.tell("look shoes")
        assert narration.wait_for(action="look").event.field("item") == "shoes"
        assert len(narration_recorder.events(action="startup")) == 1
"""


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_each_test_sees_only_what_was_narrated_since_it_began(
    clustered: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    clustered.makepyfile(_TESTS)

    result = run(*extra)

    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_start_and_stop_of_the_cluster_belong_to_the_session_and_not_to_a_test(
    clustered: pytest.Pytester, run: Run
) -> None:
    clustered.makepyfile(_TESTS)

    run("--narration-coverage", "--narration-report=json")

    seen = {
        point["id"]: point["seen"]
        for point in json.loads((clustered.path / "narration-coverage.json").read_text("utf-8"))[
            "groups"
        ][0]["points"]
    }
    assert seen["cart.start"]["stdout"]["tests"] == ["(session)"]
    assert seen["cart.hologram"]["stdout"]["tests"] == ["(session)"]
    looks = seen["cart.look"]["stdout"]["tests"]
    assert [test.partition("::")[2] for test in looks] == ["test_one", "test_two"]


def test_coverage_of_a_cluster_is_the_same_on_two_workers(
    clustered: pytest.Pytester, run: Run
) -> None:
    clustered.makepyfile(_TESTS)

    one = run("--narration-coverage")
    two = run("--narration-coverage", "-n2")

    for result in (one, two):
        result.stdout.fnmatch_lines(["TOTAL*5*3*0*2*0*60.00%"])


def test_a_failure_shows_what_was_narrated_since_the_test_began(
    clustered: pytest.Pytester, run: Run
) -> None:
    clustered.makepyfile(
        """
        def test_it(narration, narration_cluster):
            narration_cluster.tell("look hats")
            narration.wait_for(action="look")
            assert False
        """
    )

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- narration -*", "*cart*look*Looked at hats*"])
    result.stdout.no_fnmatch_line("*Starting on port*")


@pytest.mark.parametrize("extra", [(), ("-n2",)])
def test_lines_that_are_no_events_are_counted_in_the_summary(
    clustered: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    clustered.makepyfile(
        """
        def test_it(narration, narration_cluster):
            narration_cluster.tell("Traceback (most recent call last):")
            narration_cluster.tell("look hats")
            narration.wait_for(action="look")
            assert len(narration.rejected) == 1
        """
    )

    result = run(*extra)

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*narration: rejected lines*",
            "1 line could not be read*",
            "  cart, byte 0: not JSON*Traceb*",
        ]
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", 'E*narration_cluster = "package.module:factory" to a function*'),
        ("services", "*'services' is not of the form package.module:factory*"),
        ("nowhere:cluster", "*nowhere cannot be imported*"),
        ("services:nothing", "*module services has no 'nothing'*"),
        ("services:SERVICE", "*SERVICE is not callable*"),
        ("services:Cart", "*the factory returned Cart, not a context manager*"),
    ],
)
def test_a_cluster_that_cannot_be_made_names_the_ini_option(
    clustered: pytest.Pytester, run: Run, value: str, expected: str
) -> None:
    clustered.makeini(f"[pytest]\npythonpath = .\nnarration_cluster = {value}\n")
    clustered.makepyfile("def test_it(narration_cluster): pass")

    result = run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([expected])
    result.stdout.fnmatch_lines(["E*ini option*narration_cluster*"])
    result.stdout.no_fnmatch_line("*_plugin_session.py*")


def test_a_project_may_override_the_fixture_and_feed_the_recorder_itself(
    project: pytest.Pytester, run: Run
) -> None:
    project.makeconftest(
        """
        import pytest
        from pytest_narration.event import Event

        @pytest.fixture(scope="session")
        def narration_cluster(narration_recorder):
            narration_recorder.add_event(Event(service="cart", action="up"), source="cart")
            return "mine"
        """
    )
    project.makepyfile(
        """
        def test_it(narration_cluster, narration_recorder):
            assert narration_cluster == "mine"
            assert len(narration_recorder.events(action="up")) == 1
        """
    )

    run().assert_outcomes(passed=1)
