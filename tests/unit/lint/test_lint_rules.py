"""Each lint rule: what it finds, where, and what it lets pass."""

from __future__ import annotations

import pytest

from pytest_narration.lint import RULES, findings

_BAD = {
    "no-print": [
        "print('x')",
        "import sys\nprint('x', file=sys.stderr)",
        "import sys\nsys.stdout.write('x')",
        "from sys import stdout as out\nout.write('x')",
        "import sys\nsys.stdout.buffer.write(b'x')",
        "import os\nos.write(1, b'x')",
        "from pprint import pprint as show\nshow({})",
    ],
    "no-log-handler": [
        "import logging\nlogging.basicConfig()",
        "from logging import StreamHandler\nx = StreamHandler()",
        "import logging as l\nl.getLogger('a').addHandler(h)",
        "from logging.config import dictConfig\ndictConfig({})",
        "import logging.handlers\nx = logging.handlers.QueueHandler(q)",
        "import structlog\nstructlog.configure()",
        "from loguru import logger\nlogger.add('file.log')",
        "import logging\nclass Mine(logging.Handler): pass",
    ],
    "no-otel": [
        "import opentelemetry.trace",
        "from opentelemetry import trace",
        "from opentelemetry.sdk.trace import TracerProvider",
        "def f():\n    from opentelemetry import baggage",
    ],
    "no-private-emitter": [
        "def emit_event(name, **fields): pass",
        "async def publish_event(name): pass",
        "class A:\n    def narrate(self, action): pass",
        "def _log_event(name): pass",
        "emit_event = lambda name: name",
        "from functools import partial\nemit_event = partial(f, 1)",
        "from pytest_narration.emit.narrator import Narrator",
        "from pytest_narration.emit import process",
        "import pytest_narration.emit.sink",
    ],
    "literal-action": [
        "narrate(action, 'text')",
        "narrate(f'job_{what}', 'text')",
        "job.narrate('a' + b, 'text')",
        "from pytest_narration import emit\nemit.narrate(ACTION, 'text')",
    ],
    "literal-template": [
        "narrate('a', f'job {n}')",
        "narrate('a', 'job ' + n)",
        "narrate('a', 'job %s' % n)",
        "narrate('a', 'job {}'.format(n))",
    ],
    "no-handmade-id": [
        "import uuid\ncorrelation_id = str(uuid.uuid4())",
        "from uuid import uuid4 as make\nnarrate('a', 'b', job_id=make().hex)",
        "import secrets\nself.request_id = secrets.token_hex(8)",
        "headers = {'X-Correlation-Id': uuid.uuid4().hex}",
        "import uuid\nheaders['x-request-id'] = uuid.uuid4().hex",
        "import os\ntrace_id: str = os.urandom(16).hex()",
        "import uuid\njob_id = given or uuid.uuid4()",
        "job_id = f'job-{number}'",
        "import uuid\ndef f(*, span_id=uuid.uuid4()): pass",
        "import uuid\nclass A:\n    job_run_id: str = field(default_factory=uuid.uuid4)",
        "import random\nif (event_id := random.randrange(9)): pass",
    ],
    "no-secret-in-text": [
        "narrate('a', 'with {api_key}', api_key=key)",
        "narrate('a', f'with {token}')",
        "narrate('a', 'b', reason=f'bad {settings.password}')",
        "narrate('a', 'b', reason='bad ' + password)",
        "log.info('bad token %s', token)",
        "import logging\nlogging.getLogger(__name__).error(f'bad {user.api_key!r}')",
        "print('key: {}'.format(secret))",
    ],
}
_GOOD = [
    "with open('f') as f:\n    print('x', file=f)",
    "import logging\nlog = logging.getLogger(__name__)\nlog.info('x %s', 7)",
    "'print(1)'",
    "def _narrate_refusal(refusal): pass",
    "def write(line): pass",
    "from pytest_narration.emit import narrate, new_id, configure",
    "from pytest_narration.emit.clients_httpx import instrument_httpx",
    "narrate('a', 'with {tokens_in} tokens', tokens_in=7)",
    "narrate('a', TEMPLATE, count=1)",
    "narrate('a', 'b', has_token=bool(token), token_count=f'{count}')",
    "from pytest_narration.emit import new_id\njob_id = new_id()",
    "correlation_id = context.get('correlation_id')",
    "import uuid\nboundary = uuid.uuid4().hex",
    "import time\nstarted = time.time()",
    "task_id = f'branch-{number}'",
    "with narration_context(job_id=job.id):\n    pass",
    "import os\nos.write(fd, b'x')",
    "from opentelemetry_free import x",
]


def _rules(source: str) -> set[str]:
    return {finding.rule for finding in findings(source, "app.py")}


@pytest.mark.parametrize(
    ("rule", "source"), [(rule, source) for rule, sources in _BAD.items() for source in sources]
)
def test_a_bad_line_is_found(rule: str, source: str) -> None:
    assert rule in _rules(source)


@pytest.mark.parametrize("source", _GOOD)
def test_a_good_line_passes(source: str) -> None:
    assert _rules(source) == set()


def test_every_rule_is_tried() -> None:
    assert _BAD.keys() | {"unused-allowance", "unreadable"} == RULES.keys()


def test_a_finding_says_where_it_is_and_what_to_do() -> None:
    source = (
        "import uuid\n\nclass Jobs:\n    async def add(self):\n        job_id = str(uuid.uuid4())\n"
    )
    (finding,) = findings(source, "src/jobs.py")
    assert str(finding) == ("src/jobs.py:5:18: no-handmade-id: job_id is made by uuid.uuid4()")
    assert finding.scope == "Jobs.add"
    assert "new_id()" in finding.hint


def test_findings_come_in_the_order_of_lines() -> None:
    source = "print(1)\nimport opentelemetry\nprint(2)\n"
    assert [(f.line, f.rule) for f in findings(source, "a.py")] == [
        (1, "no-print"),
        (2, "no-otel"),
        (3, "no-print"),
    ]
