"""A project of somebody else, made fresh for each test of the plugin.

Runs are subprocesses, so that nothing of this session (stash, context variables, the emitter of
the process) reaches them. They load only the plugins that they name, whatever is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CATALOG = """\
catalog = 1

[system]
name = "shop"

[groups.cart]
service = "cart"
title = "Cart"

[[points]]
id = "cart.start"
group = "cart"
actor = "cart"
action = "startup"
human = "Starting on port {port}"
reach = "lifecycle"

[[points]]
id = "cart.checkout"
group = "cart"
actor = "cart"
action = "checkout"
human = "Checked out {items} items"
channels = ["stdout", "sse"]
ids = ["correlation_id", "job_id"]

[[points]]
id = "cart.look"
group = "cart"
actor = "cart"
action = "look"
human = "Looked at {item}"

[[points]]
id = "cart.refused"
group = "cart"
actor = "cart"
action = "error"
human = "Payment refused: {error_kind}"
level = "warn"
reach = "error"

[[points]]
id = "cart.hologram"
group = "cart"
actor = "cart"
action = "show"
human = "Showing in three dimensions"
reach = "device"
requires = "hologram"
"""

SHOP = '''
"""A service of the project: narrates in process."""
from pytest_narration.emit import configure, narrate, narration_context

configure("cart", "1")


def start():
    narrate("startup", "Starting on port {port}", actor="cart", port=80)


def look(item="shoes"):
    narrate("look", "Looked at {item}", actor="cart", item=item)


def refuse():
    narrate("error", "Payment refused: {error_kind}", actor="cart", error_kind="NO_FUNDS")


def checkout(channel=None, job="j-1", correlation="c-1"):
    with narration_context(correlation_id=correlation, job_id=job, channel=channel):
        narrate("checkout", "Checked out {items} items", actor="cart", items=2)
'''

Run = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def _no_worker_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run inside a worker of xdist is not to take itself for one."""
    for name in list(os.environ):
        if name.startswith("PYTEST_XDIST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a catalog, a service that narrates in process, and no tests."""
    pytester.makefile(".toml", narration=CATALOG)
    pytester.makepyfile(shop=SHOP)
    pytester.makeini("[pytest]\npythonpath = .\n")
    return pytester


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on the project in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in (
        "NARRATION_LEVEL",
        "NARRATION_DEVELOPMENT",
        "NARRATION_COVERAGE_FILE",
        "FORCE_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments: str) -> pytest.RunResult:
        plugins = ["pytest_narration.plugin"]
        if any(argument.startswith("-n") for argument in arguments):
            plugins.append("xdist.plugin")
        load = [word for plugin in plugins for word in ("-p", plugin)]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *load, *arguments]
        # For runs that hang; a busy machine takes a minute for what takes a second otherwise.
        return pytester.run(*command, timeout=300)

    return run
