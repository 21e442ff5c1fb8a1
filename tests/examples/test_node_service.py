"""examples/node-service: pino and winston from npm, and the hop that a failure names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import DOCS, EXAMPLES, Run, blocks, is_quoted_rightly

pytestmark = pytest.mark.usefixtures("node")

CORRELATION = '      "x-correlation-id": correlationId,\n'
PARENT_JOB = '      "x-parent-job-id": jobId,\n'


def without(file: Path, *lines: str) -> None:
    """Delete lines, such as the headers that the shop sends when it calls the stock."""
    source = file.read_text()
    for line in lines:
        assert source.count(line) == 1
        source = source.replace(line, "")
    file.write_text(source)


def test_what_pino_and_winston_log_about_an_order_hangs_together(run: Run) -> None:
    assert "2 passed" in run(EXAMPLES / "node-service")


def test_a_correlation_id_that_is_not_sent_on_names_the_hop(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    """The message alone must do: its reader has seen neither the test nor the services."""
    project = copy_of("node-service")
    readme = project / "README.md"
    [deleted] = blocks(readme, "js")
    without(project / "services" / "shop.js", deleted)

    printed = run(project, exit_code=1)

    assert "correlation id lost between shop and stock" in printed
    assert "instead of 'order-1'" in printed
    assert "shop's correlation 'order-1'" in printed
    assert "hint: send the id on with every call" in printed
    assert "2 failed" in printed
    assert is_quoted_rightly(readme, printed)
    assert is_quoted_rightly(DOCS / "node.md", printed)


def test_a_job_id_that_is_not_sent_on_names_the_hop(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("node-service")
    without(project / "services" / "shop.js", PARENT_JOB)

    printed = run(project, exit_code=1)

    assert "parent job id lost between shop and stock" in printed


def test_a_call_that_forgets_everything_is_found_by_the_declared_hop(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    """No link is left between the two services, but the project says who calls whom."""
    project = copy_of("node-service")
    without(project / "services" / "shop.js", CORRELATION, PARENT_JOB)

    printed = run(project, "-k", "same_request", exit_code=1)

    assert "correlation id lost between shop and stock" in printed
    assert "an id that shop never narrated" in printed


def test_without_the_declared_hop_the_test_itself_shows_the_other_request(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    """The timeline has two requests instead of one."""
    project = copy_of("node-service")
    without(project / "services" / "shop.js", CORRELATION, PARENT_JOB)
    without(project / "pyproject.toml", 'correlation-same = { hops = [["shop", "stock"]] }\n')

    printed = run(project, "-k", "same_request", exit_code=1)

    assert "'stock'" in printed
    assert "c1 = order-1" in printed
    assert "c2  stock  reservations goods_reserved" in printed


def test_a_service_that_does_not_start_is_noticed_at_once(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("node-service")
    stock = project / "services" / "stock.js"
    stock.write_text(stock.read_text() + 'require("./nothing-here");\n')

    printed = run(project, exit_code=1)

    assert "stock ended with exit code 1, so this can no longer come" in printed
    assert "event(service='stock', action='listening')" in printed
