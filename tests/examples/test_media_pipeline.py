"""examples/media-pipeline: an API and five workers over a queue, all through the façade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .conftest import EXAMPLES, Run, is_quoted_rightly

PLUGINS = ("-p", "pytest_bdd.plugin")
PROJECT = EXAMPLES / "media-pipeline"

Copy = Callable[[str], Path]


def changed(project: Path, file: str, old: str, new: str) -> None:
    source = (project / "services" / file).read_text()
    assert source.count(old) == 1
    (project / "services" / file).write_text(source.replace(old, new))


def test_the_scenarios_pass_and_the_services_narrate_through_the_facade_only(
    run: Run, copy_of: Copy
) -> None:
    printed = run(copy_of("media-pipeline"), *PLUGINS, "--narration-lint")
    assert "10 passed" in printed


def test_an_id_that_is_lost_on_the_queue_is_told_with_the_hop(run: Run, copy_of: Copy) -> None:
    project = copy_of("media-pipeline")
    changed(project, "worker.py", '**made, "headers": inject()}', '**made, "headers": {}}')
    printed = run(project, *PLUGINS, "-k", "one_request_id", exit_code=1)
    assert "correlation" in printed
    assert is_quoted_rightly(PROJECT / "README.md", printed)


def test_a_wrong_payload_is_told_by_file_and_line(run: Run, copy_of: Copy) -> None:
    project = copy_of("media-pipeline")
    changed(project, "api.py", "results_count=len(found),", "results_count=str(len(found)),")
    printed = run(project, *PLUGINS, "-k", "what_was_said", exit_code=1)
    lines = (project / "services" / "api.py").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "narrate(" in text and n > 60)
    assert f"services/api.py:{line}: search" in printed


def test_a_private_emitter_is_named_by_file_and_line(run: Run, copy_of: Copy) -> None:
    project = copy_of("media-pipeline")
    changed(project, "work.py", "class Noise(", "def emit_event(name): ...\n\n\nclass Noise(")
    printed = run(project, *PLUGINS, "--narration-lint", "-k", "work.py", exit_code=1)
    line = (
        (project / "services" / "work.py")
        .read_text()
        .splitlines()
        .index("def emit_event(name): ...")
    )
    assert f"services/work.py:{line + 1}:1: no-private-emitter: emit_event()" in printed
