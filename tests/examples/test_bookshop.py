"""examples/bookshop: scenarios, a catalog and approved stories of services in two languages."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Run, _alone, _install, _number, _said, is_quoted_rightly

PLUGINS = ("-p", "pytest_bdd.plugin", "-p", "syrupy")
PROJECT = EXAMPLES / "bookshop"
SENT_ON = 'sent_on = {"X-Correlation-Id": correlation_id, '
PUT_BACK = '            await client.request("DELETE", f"{STOCK}/reservations", json=goods)\n'


@pytest.fixture(scope="module", autouse=True)
def _node() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: two services of the bookshop need Node 18")
    version = _said("node", "--version")
    if _number(version) < (18,):
        pytest.skip(f"node {version} is too old: two services of the bookshop need 18 or later")
    with _alone(PROJECT):
        _install(PROJECT)


def changed(project: Path, old: str, new: str) -> None:
    """Change the shop."""
    shop = project / "services" / "shop.py"
    source = shop.read_text()
    assert source.count(old) == 1
    shop.write_text(source.replace(old, new))


def test_the_scenarios_pass_and_exercise_the_catalog(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    """As its CI file runs them, coverage and report included."""
    project = copy_of("bookshop")
    printed = run(
        project,
        *PLUGINS,
        "--narration-coverage",
        "--narration-fail-under=80",
        "--narration-report=term-missing",
        "--narration-report=markdown:report/coverage.md",
        "--narration-cucumber=messages:report/features.ndjson",
    )

    assert "6 passed" in printed
    assert "2 snapshots passed" in printed
    for line in ("Stock           5         4", "Payments        4         3", "83.33%"):
        assert line in printed
        assert line in (project / "README.md").read_text()
    lines = (project / "report" / "features.ndjson").read_text().splitlines()
    attached = [json.loads(line)["attachment"] for line in lines if line[:14] == '{"attachment":']
    stories = [a["body"] for a in attached if a["fileName"] == "story.txt"]
    assert any("stock  shelves `copies_put_back`" in story for story in stories)
    assert (project / "report" / "coverage.md").is_file()


def test_a_correlation_id_that_is_not_sent_on_names_the_hop(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("bookshop")
    changed(project, SENT_ON, "sent_on = {")

    printed = run(project, *PLUGINS, "-k", "confirmed", exit_code=1)

    assert "correlation id lost between shop and stock" in printed
    readme = project / "README.md"
    readme.write_text(readme.read_text().partition("## Break it")[2])
    assert is_quoted_rightly(readme, printed)


def test_goods_that_are_not_put_back_fail_the_scenario_that_demands_it(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("bookshop")
    changed(project, PUT_BACK, "")

    printed = run(project, *PLUGINS, "-k", "put_back", exit_code=1)

    assert '✗ And the event "copies_put_back" of "stock" has the fields:' in printed


def test_the_ci_file_installs_what_the_services_import() -> None:
    workflow = (PROJECT / ".github" / "workflows" / "features.yml").read_text()
    services = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["narration"]
    assert set(services["cluster"]["services"]) == {"shop", "stock", "payments"}
    for package in ("fastapi", "httpx", "structlog", "uvicorn", "npm ci"):
        assert package in workflow
