"""examples/fastapi-inprocess and examples/go-slog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Run


def test_narration_structlog_and_logging_of_a_fastapi_service_hang_together(run: Run) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    pytest.importorskip("structlog", reason="structlog is not installed")

    assert "3 passed" in run(EXAMPLES / "fastapi-inprocess")


def test_a_logger_without_the_ids_of_the_request_is_noticed(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    pytest.importorskip("structlog", reason="structlog is not installed")
    project = copy_of("fastapi-inprocess")
    service = project / "billing.py"
    source = service.read_text()
    assert "audit.addFilter(with_ids)\n" in source
    service.write_text(source.replace("audit.addFilter(with_ids)\n", ""))

    printed = run(project, exit_code=1)

    assert "('billing.audit', 'card charged with 12')" in printed


@pytest.mark.usefixtures("go")
def test_what_slog_logs_about_a_request_carries_its_id(run: Run) -> None:
    assert "2 passed" in run(EXAMPLES / "go-slog")
