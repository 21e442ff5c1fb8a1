"""docs/patterns.md says what is true: its examples run, its time-out text is the real one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_narration.pattern
from pytest_narration.errors import WaitTimeout
from pytest_narration.event import Event
from pytest_narration.explain import waited
from pytest_narration.pattern import event
from pytest_narration.recorder import Recorder

DOCS = (Path(__file__).parents[2] / "docs" / "patterns.md").read_text(encoding="utf-8")


@pytest.fixture
def recorder() -> Recorder:
    """The five events that the page lists, tokenize on both channels."""
    recorder = Recorder(explain=waited)
    worker, backend = {"service": "worker"}, {"service": "worker", "actor": "inference-backend"}
    for n, said in enumerate(
        [
            Event(service="orchestrator", actor="http-server", action="admit"),
            Event(
                **worker,
                actor="tokenizer",
                action="tokenize",
                tokens_in=7,
                human="Tokenized prompt (7 tokens)",
            ),
            Event(**backend, action="token_generate", tokens_out=10),
            Event(**backend, action="token_generate", tokens_out=20),
            Event(
                **backend,
                action="inference_complete",
                tokens_out=20,
                decode_time_ms=250,
                human="Inference completed",
            ),
        ]
    ):
        kept = Event(**{**said.fields(), "event_id": str(n), "correlation_id": "c"})
        recorder.add_event(kept, source=kept.service or "")
        if kept.action == "tokenize":
            recorder.add_event(kept, channel="sse", source="client")
    return recorder


def test_the_examples_run(recorder: Recorder) -> None:
    """In their order, sharing names as a reader would."""
    examples = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names = {"recorder": recorder}
    for example in examples:
        exec(compile(example, "docs/patterns.md", "exec"), names)

    assert len(examples) >= 6


def test_the_time_out_text_is_the_real_one(recorder: Recorder) -> None:
    pattern = event(action="tokenize") >> event(action="inference_complete", tokens_out=42)
    with pytest.raises(WaitTimeout) as caught:
        recorder.wait_for(pattern, timeout=0)
    (shown,) = re.findall(r"```text\n.*?\n(.*?)```", DOCS, re.DOTALL)

    assert shown in str(caught.value)


def test_every_public_name_is_explained() -> None:
    explained = set(re.findall(r"\w+", DOCS))
    unexplained = {"Clock", "Condition", "Pattern"}

    assert set(pytest_narration.pattern.__all__) - explained - unexplained == set()
