"""examples/kubernetes-logs and examples/compose-project: logs in files, judged offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import DOCS, EXAMPLES, Run, is_quoted_rightly


def test_logs_of_four_loggers_that_kubectl_saved_hang_together(run: Run) -> None:
    printed = run(EXAMPLES / "kubernetes-logs")

    assert "5 passed" in printed
    assert "1 line could not be read as an event" in printed
    assert "[pod/payment-0/payment] Picked up JAVA_TOOL_OPTIONS" in printed


def test_request_ids_that_change_name_each_hop(run: Run, copy_of: Callable[[str], Path]) -> None:
    """The parent spans still link the services: one in logfmt, one from Java, one from Go."""
    project = copy_of("kubernetes-logs")
    for name, said in (
        ("warehouse", "request_id={}"),
        ("payment", '"requestId":"{}"'),
        ("cart", '"request_id":"{}"'),
    ):
        path = project / "logs" / f"{name}.log"
        text = path.read_text()
        assert text.count(said.format("r-1001")) == 1
        path.write_text(text.replace(said.format("r-1001"), said.format(f"r-{name}")))

    printed = run(project, "-k", "every_hop", exit_code=1)

    assert "correlation id lost between frontend and cart" in printed
    assert "correlation id lost between frontend and payment" in printed
    assert "correlation id lost between payment and warehouse" in printed
    assert "with 'r-cart' instead of 'r-1001'" in printed


def test_a_request_id_that_changes_is_told_as_the_pages_say(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("kubernetes-logs")
    path = project / "logs" / "warehouse.log"
    path.write_text(path.read_text().replace("request_id=r-1002", "request_id=r-9999"))

    printed = run(project, exit_code=1)

    assert is_quoted_rightly(project / "README.md", printed)
    assert is_quoted_rightly(DOCS / "kubernetes.md", printed)
    assert "correlation_id: expected 'r-1002', found 'r-1001'" in printed


def test_a_log_that_docker_compose_saved_hangs_together(run: Run) -> None:
    printed = run(EXAMPLES / "compose-project", "test_saved.py")

    assert "3 passed" in printed


def test_a_line_that_is_missing_from_a_saved_log_is_missed(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("compose-project")
    path = project / "logs" / "compose.log"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not ("mailer-1" in line and "signup-2" in line)]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))

    printed = run(project, "test_saved.py", exit_code=1)

    assert "correlation_id: expected 'signup-2'" in printed
    assert "signup-2: gateway gateway.http subscription_accepted" in printed


def test_the_live_part_is_skipped_with_the_reason_where_nothing_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("docker", reason="docker-py is not installed")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    printed = run(EXAMPLES / "compose-project", "test_live.py")

    assert "1 skipped" in printed
    assert "no Docker engine answers" in printed


@pytest.mark.usefixtures("compose_project")
def test_a_running_project_is_read_from_its_containers(run: Run) -> None:
    assert "1 passed" in run(EXAMPLES / "compose-project", "test_live.py")
