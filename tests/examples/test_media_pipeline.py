"""examples/media-pipeline: an API and five workers over a queue, all through the façade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
    assert "14 passed" in printed


def test_the_scenarios_pass_on_a_real_redis_and_leave_nothing_in_it(
    run: Run, copy_of: Copy, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    monkeypatch.setenv("QUEUE_URL", redis_url)
    printed = run(copy_of("media-pipeline"), *PLUGINS)
    assert "7 passed" in printed
    with redis.Redis.from_url(redis_url) as client:
        assert client.info("commandstats")["cmdstat_zadd"]["calls"] > 20, "it was the queue"
        assert list(client.scan_iter()) == []


def test_the_embedded_queue_leaves_no_file(
    run: Run, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    run(copy_of("media-pipeline"), *PLUGINS, "-k", "layers")
    assert list((tmp_path / "temp").glob("media-pipeline-*")) == []


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


def test_a_secret_that_services_come_by_is_in_no_line(run: Run, copy_of: Copy) -> None:
    """It is in the recording, in a refusal's words, and in the message of an exception."""
    project = copy_of("media-pipeline")
    secret = "sk-live-4f9a8b7c6d5e4f3a2b1c0d9e"
    feature = project / "features" / "pipeline.feature"
    feature.write_text(
        feature.read_text()
        + f"""
  Scenario: A planted secret
    When I send POST "/ingest" with the JSON {{"recording": "Ada: password={secret} [noise] ok."}}
    Then the event "job_run_completed" of "indexer" is seen within 30 s
    When I send GET "/search?q=Bearer+{secret}"
    And I send POST "/ingest?api_key={secret}" with the JSON {{"recording": " "}}
    Then the rule "no-secrets" holds
    And the services printed no "{secret}"
"""
    )
    conftest = project / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + """

@then(parsers.parse('the services printed no "{text}"'))
def _printed_no(narration_scene, text):
    for name in WORKERS | {"api"}:
        lines = narration_scene.service(name).lines(2000)
        assert lines, f"{name} said nothing"
        assert [line for line in lines if text in line] == []
"""
    )
    changed(project, "work.py", "raise Noise", 'raise RuntimeError(f"token={heard}")')
    changed(
        project, "worker.py", "    if not will_retry:\n        broker",
        '    narrate("attempt_failed", "Failed: {reason}", reason=str(error))\n'
        "    if not will_retry:\n        broker",
    )  # fmt: skip
    changed(
        project,
        "api.py",
        '        narrate("request_refused", "Refused: {error_kind}",',
        '        narrate("request_refused", "Refused: {error_kind} {given}", given=given,',
    )
    changed(project, "api.py", "def refuse(reason):", "def refuse(reason, given=None):")
    changed(
        project,
        "api.py",
        'return refuse("RECORDING_MISSING")',
        'return refuse("RECORDING_MISSING", str(request.url))',
    )
    run(project, *PLUGINS, "-k", "planted")
