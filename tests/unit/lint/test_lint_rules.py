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
        "say = print\nsay('x')",
        "import builtins\ngetattr(builtins, 'print')('x')",
        "__builtins__.print('x')",
        "import sys\ngetattr(sys, 'stdout').write('x')",
        "import sys\nout = sys.stdout\nout.write('x')",
        "import sys\nclass A:\n    def __init__(self):\n        self.out = sys.stdout",
        "import sys\nwrite = sys.stdout.write\nwrite('x')",
        "import sys\nsys.stdout.writelines(['x'])",
        "import os, sys\nos.write(sys.stdout.fileno(), b'x')",
        "import os\nSTDOUT = 1\nos.write(STDOUT, b'x')",
        "from os import write\nwrite(1, b'x')",
        "import os\nos.write(fd=1, data=b'x')",
        "import os\nos.writev(1, [b'x'])",
        "import os\nos.fdopen(1, 'w').write('x')",
        "open(1, 'w').write('x')",
        "open('/dev/stdout', 'w').write('x')",
        "import json, sys\njson.dump({}, sys.stdout)",
        "import sys\nout = sys.stdout\nprint('x', file=out)",
        "import functools\nsay = functools.partial(print, flush=True)",
        "list(map(print, ['x']))",
        "def f(say=print):\n    say('x')",
        "import contextlib, sys\nwith contextlib.redirect_stdout(sys.stderr): pass",
        "import click\nclick.echo('x')",
        "from rich import print\nprint('x')",
        "from rich.console import Console\nconsole = Console()\nconsole.print('x')",
        "__import__('sys').stdout.write('x')",
        "import importlib\nimportlib.import_module('sys').stdout.write('x')",
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
        "import logging\ndef a():\n def b():\n  logging.root.addHandler(logging.StreamHandler())",
        "import logging\nBase = logging.Handler\nclass Mine(Base): pass",
        "import logging\ngetattr(logging.getLogger(), 'addHandler')(h)",
        "import logging\nlogging.getLogger().handlers.append(h)",
        "import logging\nlog = logging.getLogger('a')\nlog.handlers = [h]",
        "import logging\nlogging.root.handlers[:] = [h]",
        "import logging\nlogging.root.handlers += [h]",
        "import logging\nlogging.lastResort = h",
        "import structlog\nstructlog.PrintLogger().msg('x')",
        "import logging\nMine = type('Mine', (logging.Handler,), {})",
    ],
    "no-otel": [
        "import opentelemetry.trace",
        "from opentelemetry import trace",
        "from opentelemetry.sdk.trace import TracerProvider",
        "def f():\n    from opentelemetry import baggage",
        "import importlib\nimportlib.import_module('opentelemetry.trace')",
        "from importlib import import_module as load\ntrace = load('opentelemetry.trace')",
        "__import__('opentelemetry')",
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
        "def emitEvent(name): pass",
        "def emit(event): pass",
        "class EventEmitter: pass",
        "from telemetry import emit_event",
        "from telemetry import send as emit_event",
        "from .telemetry import track_event",
        "telemetry.emit_event('x')",
        "emit_event = make()\nemit_event('x')",
        "import logging\nlog = logging.getLogger('a')\nlog_event = log.info",
        "import json, logging\nlogging.getLogger('a').info(json.dumps(event))",
        "log.info({'event': 'x'})",
        "import json\nlog.info('%s', json.dumps(event))",
        "import json\nlog.info(f'{json.dumps(event)}')",
        "import pytest_narration.emit\npytest_narration.emit.narrator.Narrator()",
        "from pytest_narration import emit\nemit.process.narrate('a', 'b')",
        "import importlib\nimportlib.import_module('pytest_narration.emit.process')",
        "from pytest_narration.emit._secrets import find",
    ],
    "literal-action": [
        "narrate(action, 'text')",
        "narrate(f'job_{what}', 'text')",
        "job.narrate('a' + b, 'text')",
        "from pytest_narration import emit\nemit.narrate(ACTION, 'text')",
        "from pytest_narration.emit import narrate\nsay = narrate\nsay(action, 'x')",
        "from app.emit import narrate\ndef tell(action, **f):\n    narrate(action, 'x', **f)",
        "from pytest_narration import emit\ngetattr(emit, 'narrate')(action, 'x')",
        "import functools\nfrom pytest_narration.emit import narrate as n\nfunctools.partial(n, a)",
        "from pytest_narration.emit import narrate\nnarrate(*parts)",
        "from pytest_narration.emit import narrate\nnarrate(**event)",
        "from pytest_narration.emit import narrate\nlist(map(narrate, actions, texts))",
        "narrate('a' if x else b, 'x')",
        "narrate(ACTIONS[kind], 'x')",
        "narrate_auto(action)",
        "from pytest_narration.emit import layer\nwith layer(name): pass",
        "from pytest_narration.emit import layer as step\n@step(f'part-{n}')\ndef f(): pass",
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
        "job_id = 'job-' + str(n)",
        "job_id = 'job-%d' % n",
        "job_id = 'job-{}'.format(n)",
        "job_id = '-'.join(['job', n])",
        "job_id = given or f'job-{n}'",
        "job_id = str(f'job-{n}')",
        "narrate('a', 'b', job_id='job-1')",
        "with narration_context(correlation_id='abc'): pass",
        "import uuid\nx = uuid.uuid4()\njob_id = str(x)",
        "import uuid\nmake = uuid.uuid4\njob_id = make()",
        "import uuid\nx, job_id = 1, str(uuid.uuid4())",
        "import uuid\nheaders.setdefault('X-Request-Id', uuid.uuid4().hex)",
        "import uuid\nheaders.append((b'x-request-id', uuid.uuid4().bytes))",
        "import uuid\nsetattr(job, 'job_id', uuid.uuid4())",
        "import itertools\nfor job_id in itertools.count(): pass",
        "import itertools\nnumbers = itertools.count()\njob_id = next(numbers)",
        "job_id += '-1'",
        "import uuid\ndef make_request_id():\n    return uuid.uuid4().hex",
        "import hashlib\njob_id = hashlib.sha256(b'x').hexdigest()",
        "import uuid\njob_id = getattr(uuid, 'uuid4')()",
        "job_id = __import__('uuid').uuid4()",
        "job_id = id(job)",
        "import time\njob_id = time.monotonic_ns()",
    ],
    "no-secret-in-text": [
        "narrate('a', 'with {api_key}', api_key=key)",
        "narrate('a', f'with {token}')",
        "narrate('a', 'b', reason=f'bad {settings.password}')",
        "narrate('a', 'b', reason='bad ' + password)",
        "log.info('bad token %s', token)",
        "import logging\nlogging.getLogger(__name__).error(f'bad {user.api_key!r}')",
        "print('key: {}'.format(secret))",
        "narrate('a', 'b', reason=f'bad {password.strip()}')",
        "narrate('a', 'b', reason=f'bad {password[:4]}')",
        "narrate('a', 'b', reason=f'bad {config.get(\"password\")}')",
        "import os\nnarrate('a', 'b', reason=os.getenv('API_KEY'))",
        "narrate('a', 'with {what}', what=api_key)",
        "told = f'bad {password}'\nnarrate('a', 'b', reason=told)",
        "header = request.headers['authorization']\nlog.info(header)",
        "narrate('a', 'b', reason=password if x else '')",
        "narrate('a', 'b', reason=f'{password or 1}')",
        "narrate('a', 'b', reason=f'{x:{password}}')",
        "narrate('a', 'b', details={'x': f'{password}'})",
        "log.info('x', extra={'k': password})",
        "logger.bind(key=api_key).info('x')",
        "end_job_run(run, f'bad {password}')",
        "from pytest_narration.emit import layer\nwith layer('x', note=password): pass",
        "raise ValueError(f'bad {password}')",
    ],
}
_GOOD = [
    "import sys\nis_terminal = sys.stdout.isatty()\nsys.stdout.flush()",
    "import sys, traceback\ntraceback.print_exc(file=sys.stderr)",
    "self.handlers.append(handler)",
    "with open('/dev/null') as f: pass",
    "def emit_nothing(): pass",
    "from pytest_narration.emit import narrate as say\nsay('a', 'b')",
    "from pytest_narration.emit import layer\n@layer('enrich')\ndef f(): pass",
    "self.layer(name)",
    "nn.layer(f'conv{n}')",
    "narrate('a', 'b', password=password, details={'token': token})",
    "narrate('a', 'b', has_token=token is not None, masked=mask(token), width=a * b)",
    "raise ValueError('no token')",
    "import time\nnow = time.time()\njob_id = jobs.before(now)",
    "job_id, rest = line.split()",
    "correlation_id = given or current",
    "FIELDS = {'job_id': 'the job'}",
    "def request_id(self):\n    return self.headers.get('x-request-id')",
    "x = print_it\nx()",
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
