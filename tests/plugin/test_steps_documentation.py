"""``docs/features.md`` is tried: its project runs, and prints what the page says it prints."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from .conftest import Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "features.md").read_text("utf-8")
SHOP = ROOT / "tests" / "data" / "steps" / "shop.py"
BDD = ("-p", "pytest_bdd.plugin")

FORGETS = """
def forgets(environ, start_response):
    environ.pop("HTTP_X_CORRELATION_ID", None)
    return NarrationMiddleware(application)(environ, start_response)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def quoted(text: str, printed: str) -> list[str]:
    """Return the lines of a page's block that were not printed; ``…`` stands for anything."""
    moments = re.compile(r"\+\d+\.\d{3}")
    printed = moments.sub("+0", printed)
    return [
        line
        for line in text.splitlines()
        if not re.search(
            ".*".join(map(re.escape, moments.sub("+0", line.strip()).split("…"))), printed
        )
    ]


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """The page's project: its table, its feature, and two services for it."""
    source = SHOP.read_text("utf-8")
    kind = 'KIND, PORT, BANK = (*sys.argv[1:], "")[:3]'
    assert kind in source
    (pytester.path / "shop.py").write_text(
        source.replace(kind, "KIND, PORT, BANK = 'shop', *sys.argv[1:]").replace(
            "job = new_id()", "import uuid; job = str(uuid.uuid4())"
        ),
        "utf-8",
    )
    (pytester.path / "bank.py").write_text(
        source.replace(kind, "KIND, PORT, BANK = 'bank', os.environ['PORT'], ''"), "utf-8"
    )
    (pytester.path / "pyproject.toml").write_text(blocks("toml")[0], "utf-8")
    (pytester.mkdir("features") / "orders.feature").write_text(blocks("gherkin")[0], "utf-8")
    return pytester


def test_the_first_feature_runs(shop: pytest.Pytester, run: Run) -> None:
    run(*BDD).assert_outcomes(passed=1)


def test_what_the_page_shows_of_a_failure_is_what_is_printed(
    shop: pytest.Pytester, run: Run
) -> None:
    """The bank takes no notice of the header, and makes an id of its own."""
    bank = shop.path / "bank.py"
    source = bank.read_text("utf-8")
    assert "NarrationMiddleware(application), Server" in source
    source = source.replace("NarrationMiddleware(application), Server", "forgets, Server")
    bank.write_text(source.replace("class Server(", f"{FORGETS}\n\nclass Server("), "utf-8")

    result = run(*BDD)

    result.assert_outcomes(failed=1)
    assert quoted(blocks("text")[0], result.stdout.str()) == []


def test_what_the_page_shows_of_a_step_that_is_not_understood_is_what_is_printed(
    shop: pytest.Pytester, run: Run
) -> None:
    feature = shop.path / "features" / "orders.feature"
    feature.write_text(
        "Feature: A\n  Scenario: B\n    Then the event paid is seen within 2 sec\n", "utf-8"
    )

    result = run(*BDD)

    assert quoted(blocks("text")[1], result.stdout.str()) == []


def test_the_python_of_the_page_runs(shop: pytest.Pytester, run: Run) -> None:
    test, steps = blocks("python")
    shop.makepyfile(test_shop=test)
    shop.makeconftest(steps)
    (shop.path / "features" / "orders.feature").write_text(
        "Feature: A\n  Scenario: B\n    Given the cluster is running\n"
        "    When the customer orders twice\n    Then exactly 2 answers are 202\n",
        "utf-8",
    )

    run(*BDD).assert_outcomes(passed=2)


def test_the_described_services_need_no_gherkin(shop: pytest.Pytester, run: Run) -> None:
    shutil.rmtree(shop.path / "features")
    shop.makepyfile(test_shop=blocks("python")[0])
    pyproject = shop.path / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    pyproject.write_text(text.replace("narration_steps = true", ""), "utf-8")

    run().assert_outcomes(passed=1)


def test_every_key_of_the_services_table_is_in_the_page() -> None:
    from pytest_narration.cluster import settings

    for key in settings._KEYS:
        assert f"| `{key}` |" in PAGE


def test_a_table_that_is_wrong_is_a_usage_error_that_names_it(
    shop: pytest.Pytester, run: Run
) -> None:
    pyproject = shop.path / "pyproject.toml"
    text = pyproject.read_text("utf-8")
    pyproject.write_text(text.replace('ready = { url = "/health" }', "reddy = 1"), "utf-8")

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        ["*[[]tool.narration.cluster.services.shop] has no key 'reddy'; keys are:"]
    )


def test_a_service_that_does_not_start_is_quoted_in_the_failure(
    shop: pytest.Pytester, run: Run
) -> None:
    (shop.path / "bank.py").write_text("raise SystemExit('no money today')\n", "utf-8")

    result = run(*BDD)

    result.stdout.fnmatch_lines(
        [
            "bank ended with exit code 1 before its event 'listening'. Its last lines:",
            "  no money today",
            "*✗ Given the cluster is running*",
        ]
    )
