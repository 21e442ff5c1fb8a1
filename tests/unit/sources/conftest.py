from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from pytest_narration.recorder import Recorder

# pytest's importlib mode puts no test folder on the path: the scripted server is loaded by place.
_spec = importlib.util.spec_from_file_location("serving", Path(__file__).with_name("serving.py"))
assert _spec is not None
assert _spec.loader is not None
_serving = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("serving", _serving)
_spec.loader.exec_module(_serving)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
