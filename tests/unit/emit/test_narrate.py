"""What a service may rely on when it calls narrate()."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.emit import narration_context
from pytest_narration.emit.identity import Clock, Identity
from pytest_narration.emit.narrator import Narrator
from pytest_narration.emit.redaction import Redactor
from pytest_narration.emit.sink import FdSink, Sink
from pytest_narration.event import MAX_LINE_BYTES, Event
from pytest_narration.wire import decode

OTHER = "0192f0a0-7b1c-7abc-8def-0123456789ab"
THIRD = "0192f0a0-7b1c-7abc-8def-0123456789ac"


class Lines(Sink):
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes, seq: int) -> None:
        self.lines.append(line)

    def flush(self, timeout: float) -> bool:
        return True

    def close(self) -> None: ...

    def fields(self, index: int = -1) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.lines[index])
        return fields


class Stream:
    """A job's channel that keeps what it is given."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.is_open = True
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def narrator(lines: Lines) -> Narrator:
    return Narrator(Identity("worker", "0.1.0", "worker-1"), lines)


@pytest.fixture
def say(narrator: Narrator) -> Iterator[Any]:
    def narrate(action: str, template: str, /, **options: Any) -> str:
        actor, level = options.pop("actor", None), options.pop("level", "info")
        sse = options.pop("sse", True)
        return narrator.emit(action, template, actor, level, None, sse, options)

    return narrate


def test_an_event_carries_its_provenance_its_template_and_its_values(
    say: Any, lines: Lines
) -> None:
    event_id = say(
        "tokenize", "Tokenized prompt ({tokens_in} tokens)", actor="tokenizer", tokens_in=7
    )

    fields = lines.fields()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields.pop("timestamp"))
    assert fields == {
        "event_id": event_id,
        "seq": 1,
        "service": "worker",
        "emitted_by": "worker@0.1.0",
        "instance": "worker-1",
        "schema_version": 1,
        "level": "info",
        "actor": "tokenizer",
        "action": "tokenize",
        "template": "Tokenized prompt ({tokens_in} tokens)",
        "human": "Tokenized prompt (7 tokens)",
        "tokens_in": 7,
    }


def test_event_ids_are_version_7_uuids_that_ascend_within_and_across_milliseconds() -> None:
    times = iter([1_000_000 * ms for ms in (5, 5, 5, 6, 6, 7)])
    clock = Clock(lambda: next(times))

    ids = [clock.stamp()[0] for _ in range(6)]

    shape = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(shape, event_id) for event_id in ids)
    assert ids == sorted(set(ids))


def test_a_full_counter_within_one_millisecond_still_gives_distinct_ids() -> None:
    clock = Clock(lambda: 5_000_000)

    assert len({clock.stamp()[0] for _ in range(10_000)}) == 10_000


def test_seq_counts_every_line_of_all_threads_in_the_order_they_are_written(
    say: Any, lines: Lines
) -> None:
    threads = [
        threading.Thread(target=lambda: [say("work", "Working") for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [json.loads(line)["seq"] for line in lines.lines] == list(range(1, 801))


def test_seq_is_the_order_of_lines_in_a_file_that_threads_and_narrators_share(
    tmp_path: Path,
) -> None:
    with (tmp_path / "lines").open("wb") as file:
        sink = FdSink(file.fileno())
        narrators = [
            Narrator(Identity("worker", "0.1.0", name), sink, redactor=REDACTOR)
            for name in ("one", "other")
        ]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [
                threading.Thread(
                    target=lambda: [
                        each.emit("work", "Working", None, "info", None, True, {})
                        for _ in range(200)
                        for each in narrators
                    ]
                )
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        finally:
            sys.setswitchinterval(interval)
        assert sink.flush(10)
        sink.close()

    events = [json.loads(line) for line in (tmp_path / "lines").read_bytes().splitlines()]
    for name in ("one", "other"):
        assert [e["seq"] for e in events if e["instance"] == name] == list(range(1, 801))


def test_bound_values_are_on_every_event_and_explicit_fields_win(say: Any, lines: Lines) -> None:
    with narration_context(correlation_id="c-1", job_id="j-1", worker_id="w-1", actor="scheduler"):
        say("admit", "Admitted {job_id}", worker_id="w-2")

    fields = lines.fields()
    assert fields["human"] == "Admitted j-1"
    assert fields["actor"] == "scheduler"
    assert (fields["correlation_id"], fields["job_id"], fields["worker_id"]) == (
        "c-1",
        "j-1",
        "w-2",
    )
    assert lines.lines[-1].count(b'"worker_id"') == 1


def test_inner_contexts_win_and_outer_ones_are_restored_also_after_an_exception(
    say: Any, lines: Lines
) -> None:
    with narration_context(correlation_id="outer", session_id="s"):
        with (
            pytest.raises(RuntimeError),
            narration_context(correlation_id="inner", session_id=None),
        ):
            say("in", "In")
            raise RuntimeError
        say("out", "Out")
    say("none", "None")

    inside, outside, none = (json.loads(line) for line in lines.lines)
    assert inside["correlation_id"] == "inner"
    assert "session_id" not in inside
    assert (outside["correlation_id"], outside["session_id"]) == ("outer", "s")
    assert "correlation_id" not in none


async def _two_tasks(say: Any) -> None:
    async def job(name: str) -> None:
        with narration_context(correlation_id=name):
            for _ in range(5):
                await asyncio.sleep(0)
                say("step", "Step", expected=name)

    await asyncio.gather(job("a"), job("b"))


def test_concurrent_tasks_keep_their_own_context(say: Any, lines: Lines) -> None:
    asyncio.run(_two_tasks(say))

    events = [json.loads(line) for line in lines.lines]
    assert len(events) == 10
    assert all(event["correlation_id"] == event["expected"] for event in events)


def test_a_thread_narrates_in_the_context_it_is_run_with(say: Any, lines: Lines) -> None:
    with narration_context(correlation_id="c-1"):
        context = copy_context()
    thread = threading.Thread(target=context.run, args=(say, "work", "Working"))
    thread.start()
    thread.join(10)

    assert lines.fields()["correlation_id"] == "c-1"


def test_an_event_reaches_the_stream_of_its_own_job_only(say: Any) -> None:
    stream = Stream("j-1")
    with narration_context(job_id="j-1", channel=stream):
        say("own", "Own")
        say("quiet", "Quiet", sse=False)
        say("foreign", "Foreign", job_id="j-2")
        with narration_context(job_id="j-3"):
            say("nested", "Nested job")
        with narration_context(job_id=None):
            say("jobless", "No job")
        say("disowned", "Not the job's", job_id=None)
        say("nameless", "Nobody's", job_id="")
        stream.is_open = False
        say("late", "Late")
    say("lifecycle", "Lifecycle")

    assert [json.loads(line)["action"] for line in stream.lines] == ["own"]


def test_the_line_on_the_stream_is_the_line_on_stdout(say: Any, lines: Lines) -> None:
    stream = Stream("j-1")
    with narration_context(job_id="j-1", channel=stream):
        say("own", "Own")

    assert stream.lines[0] + b"\n" == lines.lines[0]


def test_a_stream_that_fails_does_not_break_the_caller(say: Any, lines: Lines) -> None:
    class Broken(Stream):
        def put(self, line: bytes) -> None:
            raise OSError("gone")

    with narration_context(job_id="j-1", channel=Broken("j-1")):
        say("own", "Own")

    assert lines.fields()["action"] == "own"


def test_the_first_event_of_a_job_names_what_caused_it_and_the_next_does_not(
    say: Any, lines: Lines
) -> None:
    with narration_context(correlation_id="c", cause=(OTHER, "no event id")):
        first = say("receive", "Received")
        with narration_context(job_id="j-1") as job:
            say("start", "Started")
            say("end", "Ended")
        say("answer", "Answered")

    causes = [json.loads(line).get("cause") for line in lines.lines]
    assert causes == [[OTHER], [first], None, [job.trail.last]]


def test_a_cause_that_is_learnt_twice_is_named_once(say: Any, lines: Lines) -> None:
    with narration_context(correlation_id="c") as context:
        context.trail.follow(OTHER, THIRD, OTHER)
        say("act", "Acting")

    assert lines.fields()["cause"] == [OTHER, THIRD]


def test_work_that_joins_many_jobs_without_a_word_names_the_latest(say: Any, lines: Lines) -> None:
    with narration_context(worker_id="w"):
        for number in range(500):
            with narration_context(job_id=f"j-{number}"):
                last = say("work", "Working")
        say("rest", "Resting")

    cause = lines.fields()["cause"]
    assert (len(cause), cause[-1]) == (32, last)


@pytest.mark.parametrize(
    ("template", "fields", "human"),
    [
        ("Loaded {model}", {}, "Loaded {model}"),
        ("Took {ms:d} ms", {"ms": "fast"}, "Took fast ms"),
        ("Broken {", {}, "Broken {"),
        ("A {x!r} b", {"x": "q"}, "A 'q' b"),
        ("{a} and {b}", {"a": 1}, "1 and {b}"),
    ],
)
def test_a_template_that_cannot_be_filled_says_what_it_can(
    say: Any, lines: Lines, template: str, fields: dict[str, Any], human: str
) -> None:
    say("act", template, **fields)

    assert lines.fields()["human"] == human


def test_an_emitter_cannot_be_given_another_provenance_by_a_field(say: Any, lines: Lines) -> None:
    say("act", "Acting", seq=99, service="other", human="forged")

    fields = lines.fields()
    assert (fields["seq"], fields["service"], fields["human"]) == (1, "worker", "Acting")
    assert (fields["given_seq"], fields["given_service"]) == (99, "other")


def test_a_value_of_none_is_shown_in_the_sentence_and_left_out_of_the_fields(
    say: Any, lines: Lines
) -> None:
    say("act", "Device {device} of {node}", device=None, node="n-1")

    assert lines.fields()["human"] == "Device None of n-1"
    assert "device" not in lines.fields()


REDACTOR = Redactor()
TEXTS = [
    "Bearer abcdef0123456789",
    'quoted "x" and \\ back',
    "line\nbreak",
    "https://bob:hunter2@example.com/",
    "sk-" + "a1B2" * 10,
]


@settings(deadline=None, max_examples=200)
@given(
    values=st.dictionaries(
        st.sampled_from(["a", "b", "note", "password", "token"]),
        st.text(max_size=20) | st.sampled_from(TEXTS),
        max_size=5,
    )
)
def test_a_field_is_written_as_the_redactor_cleans_it(values: dict[str, str]) -> None:
    """However many fields an event has, and whichever way it takes through the narrator."""
    lines = Lines()
    narrator = Narrator(Identity("s", "0", "i"), lines, redactor=REDACTOR)

    narrator.emit("a", "T", "x", "info", None, True, values)

    fields = lines.fields()
    assert {name: fields.get(name) for name in values} == {
        name: REDACTOR.clean_value(name, value) for name, value in values.items()
    }


def test_what_an_event_says_does_not_depend_on_those_before_it() -> None:
    """Events of one call site, with and without secrets, beside those of a fresh process."""
    one, fresh = Lines(), Lines()
    narrator = Narrator(Identity("s", "0", "i"), one, redactor=REDACTOR)
    for a, b in product([*TEXTS, "clean"], repeat=2):
        for each in (narrator, Narrator(Identity("s", "0", "i"), fresh, redactor=REDACTOR)):
            each.emit("a", "x{a} and {b}", "x", "info", None, True, {"a": a, "b": b, "n": 1})

    provenance = {"event_id", "timestamp", "seq"}
    told = [
        [{k: v for k, v in lines.fields(n).items() if k not in provenance} for n in range(36)]
        for lines in (one, fresh)
    ]
    assert told[0] == told[1]


def test_a_stream_is_found_by_the_job_id_that_was_given(say: Any) -> None:
    """Even one that is taken for a secret, at a call site that told secrets before."""
    stream = Stream("sk-" + "a1B2" * 10)
    for _ in range(3):
        with narration_context(channel=stream):
            say("act", "Act", job_id=stream.job_id)

    assert len(stream.lines) == 3


class Hostile:
    """An object whose every method fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        2**200,
        object(),
        Hostile(),
        b"\xff",
        "\ud800",
        {1: {2: {3}}},
        [[[[[[[[[]]]]]]]]],
        {"k": Hostile()},
        RuntimeError("x"),
        type("Text", (str,), {})("q"),
        pytest.param(10**5000, id="endless"),
        {"k\ud800": 1},
    ],
)
def test_any_value_gives_one_readable_line(say: Any, lines: Lines, value: object) -> None:
    say("act", "Got {value}", value=value)

    assert len(lines.lines) == 1
    assert lines.lines[0].count(b"\n") == 1
    assert isinstance(decode(lines.lines[0]), Event)


@settings(deadline=None, max_examples=150)
@given(
    text=st.text(),
    fields=st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        max_size=6,
    ),
)
def test_whatever_is_narrated_one_line_is_read_back(text: str, fields: dict[str, Any]) -> None:
    lines = Lines()
    narrator = Narrator(Identity("worker", "0.1.0", "worker-1"), lines)

    narrator.emit("act", text, "actor", "info", None, True, fields)

    (line,) = lines.lines
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert json.loads(line)["action"] == "act"


@pytest.mark.parametrize("size", [70_000, 300_000, 2_000_000])
def test_longer_text_is_cut_to_a_line_and_marked(say: Any, lines: Lines, size: int) -> None:
    with narration_context(correlation_id="c-1", baggage="b" * size):
        say("act", "Said {text}", text="ä" * size, also={"nested": ["x" * size]})

    assert len(lines.lines[0]) <= MAX_LINE_BYTES
    fields = lines.fields()
    assert fields["correlation_id"] == "c-1"
    for text in (fields["text"], fields["also"]["nested"][0]):
        kept, mark, _ = text.partition("… [cut ")
        assert mark
        assert len(kept) + int(text[len(kept + mark) :].split()[0]) == size


def test_secrets_are_redacted_wherever_they_are(say: Any, lines: Lines) -> None:
    secret = "sk-" + "a1B2" * 10
    stream = Stream("j-1")
    with narration_context(job_id="j-1", channel=stream, note=f"key {secret}"):
        say(
            "act",
            f"Using {secret}, then Bearer {{ticket}} and {{text}}",
            ticket="q" * 30,
            text=f"x={secret}",
            password="hunter2hunter2",
            deep={"list": [secret], secret: 1},
        )

    for line in (*lines.lines, *stream.lines):
        text = line.decode()
        assert secret not in text
        assert "hunter2" not in text
        assert "q" * 30 not in text


def test_secrets_that_are_bound_stay_out_of_the_sentence(say: Any, lines: Lines) -> None:
    with narration_context(api_key="plain-se-cret", user={"password": "zzzz1"}, pw="open-sesame"):
        say("act", "Key is {api_key}, {user[password]}, password={pw}")
        say("act", "Again")

    assert all(
        secret not in line.decode()
        for line in lines.lines[:1]
        for secret in ("plain-se-cret", "zzzz1", "open-sesame")
    )
    assert b"plain-se-cret" not in lines.lines[1]


@pytest.mark.parametrize("where", ["action", "actor", "field", "bound field", "bound actor"])
def test_names_are_cleaned_like_values(say: Any, lines: Lines, where: str) -> None:
    secret = "ghp_" + "a1B2" * 9
    bound: dict[str, Any] = {}
    if where == "bound field":
        bound = {secret: 1}
    elif where == "bound actor":
        bound = {"actor": secret}
    with narration_context(**bound):
        say(
            secret if where == "action" else "act",
            "Acting",
            **({"actor": secret} if where == "actor" else {}),
            **({secret: 1, "act\u200bion": 2} if where == "field" else {}),
        )

    assert secret.encode() not in lines.lines[0]
    assert where != "field" or lines.fields()["given_action"] == 2


def test_a_name_is_written_once_whoever_gives_it(narrator: Narrator, lines: Lines) -> None:
    with narration_context(cute="bound", target="bound"):
        narrator.emit("act", "T", None, "info", {"cute": "said"}, True, {"target": "given"})

    pairs = json.loads(lines.lines[0], object_pairs_hook=list)
    assert [value for name, value in pairs if name in ("cute", "target")] == ["given", "said"]
    assert len(pairs) == len(dict(pairs))


@pytest.mark.parametrize("bound", [{"k" * 70_000: 1}, {f"field_{n}": "x" for n in range(3000)}])
def test_a_context_that_does_not_fit_keeps_the_ids(
    say: Any, lines: Lines, bound: dict[str, Any]
) -> None:
    with narration_context(correlation_id="c-1", job_id="j-1", **bound):
        say("act", "Acting")

    pairs = json.loads(lines.lines[0], object_pairs_hook=list)
    fields = dict(pairs)
    assert len(pairs) == len(fields)
    assert (fields["correlation_id"], fields["job_id"], fields["human"]) == ("c-1", "j-1", "Acting")


def test_a_handler_that_interrupts_anywhere_gets_ids_and_numbers_of_its_own() -> None:
    """As a signal handler does, which may run between any two steps of the clock."""
    clock = Clock(lambda: reads())
    ids: list[str] = []
    depth = 0

    def reads() -> int:
        nonlocal depth
        depth += 1
        if depth < 4:
            ids.append(clock.stamp()[0])
        depth -= 1
        return 1_000_000 * len(ids)

    ids.extend(clock.stamp()[0] for _ in range(50))

    assert len(ids) == len(set(ids))


def test_control_and_zero_width_characters_do_not_reach_a_line(say: Any, lines: Lines) -> None:
    say("act", "a\r\nb\x00c\u200bd\u2028e", note="x\x1b[31m\u202ey")

    fields = lines.fields()
    assert not re.search("[\x00-\x1f\u200b-\u200f\u2028-\u202e]", fields["human"] + fields["note"])


def run(program: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=30,
        check=True,
        env={**os.environ, **environ},
    )


def test_a_filtered_level_writes_nothing_and_returns_none() -> None:
    done = run(
        "from pytest_narration.emit import *\n"
        "configure('svc', level='warn')\n"
        "assert narrate('a', 'A') is None and narrate('b', 'B', level='error')\n"
    )

    assert [json.loads(line)["action"] for line in done.stdout.splitlines()] == ["b"]


def test_the_environment_sets_level_and_service_of_a_process_that_does_not_configure() -> None:
    done = run(
        "from pytest_narration.emit import narrate; narrate('a', 'A', level='debug')",
        NARRATION_LEVEL="debug",
        NARRATION_SERVICE="billing",
    )

    assert json.loads(done.stdout)["service"] == "billing"


def test_development_mode_says_which_line_narrates() -> None:
    done = run(
        "from pytest_narration.emit import *\nconfigure('svc', development=True)\nnarrate('a', 'A')"
    )

    assert json.loads(done.stdout)["source_location"] == "<string>:3"


def test_a_forked_child_is_an_instance_of_its_own() -> None:
    done = run(
        "import os\n"
        "from pytest_narration.emit import *\n"
        "configure('svc')\n"
        "narrate('parent', 'Before')\n"
        "pid = os.fork()\n"
        "narrate('child' if pid == 0 else 'parent', 'After')\n"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
    )

    events = [json.loads(line) for line in done.stdout.splitlines()]
    instances = {event["instance"] for event in events}
    assert len(instances) == 2
    assert sorted((e["action"], e["seq"]) for e in events) == [
        ("child", 1),
        ("parent", 1),
        ("parent", 2),
    ]


def test_a_fork_while_another_thread_meets_its_first_secret_leaves_a_child_that_narrates() -> None:
    done = run(
        "import os, signal, threading, time\n"
        "from pytest_narration.emit import *\n"
        "def say(): narrate('login', 'Got {x}', x='password=hunter2secret')\n"
        "for turn in range(10):\n"
        "    configure('svc')\n"
        "    thread = threading.Thread(target=say)\n"
        "    thread.start()\n"
        "    time.sleep(0.0005 * turn)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        signal.alarm(10)\n"
        "        say()\n"
        "        os._exit(0)\n"
        "    _, status = os.waitpid(pid, 0)\n"
        "    assert status == 0, f'the child of turn {turn} hung'\n"
        "    thread.join()\n"
    )

    assert done.stderr == b""
    assert done.stdout.count(b"[REDACTED]") == 2 * 2 * 10


def test_a_call_with_nonsense_does_not_raise() -> None:
    done = run(
        "from pytest_narration.emit import *\n"
        "class H:\n"
        "    def __repr__(self): raise RuntimeError\n"
        "    __str__ = __repr__\n"
        "narrate(H(), H(), actor=H(), level=H(), cute=H())\n"
        "narrate('fine', 'Fine')\n"
    )

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["action"] == "fine"
    assert events[0]["action"] == "narration_failed"


def test_levels_of_other_loggers_are_understood_and_others_are_kept() -> None:
    done = run(
        "from pytest_narration.emit import *\n"
        "for level in ('ERROR', 'warning', 'critical', 'loud', []): narrate('a', 'A', level=level)"
    )

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(event["level"], event.get("given_level")) for event in events] == [
        ("error", None),
        ("warn", None),
        ("fatal", None),
        ("info", "loud"),
        ("error", None),
    ]


def test_a_context_takes_nonsense_without_raising(say: Any, lines: Lines) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = object.__hash__

    block = narration_context(job_id=Odd(), cause=5)  # type: ignore[arg-type]  # nonsense on purpose
    with block, narration_context(job_id=Odd(), cause=[[]]):  # type: ignore[list-item]  # the same
        say("act", "Acting")
    with block:
        say("again", "Again")

    assert len(lines.lines) == 2


def test_importing_emit_brings_in_neither_pytest_nor_anything_heavy() -> None:
    done = run(
        "import sys, pytest_narration.emit\n"
        "heavy = {'pytest', 'httpx', 'aiohttp', 'starlette', 'torch', 'docker', 'jsonschema',"
        " 'opentelemetry', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    assert done.stdout.strip() == b"[]"
