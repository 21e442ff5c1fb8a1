"""Ports on the command lines of the services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.services.orchestrator.settings import read_settings as read_orchestrator
from harness.services.pool_manager.settings import read_settings as read_pool_manager
from harness.services.worker.options import parse as read_worker


def _pool_manager(arguments: list[str]) -> Any:
    return read_pool_manager(["--orchestrator-url=http://127.0.0.1:1", *arguments])


_READERS = [read_orchestrator, _pool_manager, read_worker]


@pytest.mark.parametrize("read", _READERS)
@pytest.mark.parametrize("port", ["-1", "65536", "99999999999", "http", "", "80.5"])
def test_a_port_that_is_none_is_said_in_one_line(
    read: Callable[[list[str]], Any], port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read([f"--port={port}"])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"argument --port: {port!r} is not a whole number in 0..65535")


@pytest.mark.parametrize("read", _READERS)
@pytest.mark.parametrize("port", [0, 1, 65535])
def test_a_port_is_read(read: Callable[[list[str]], Any], port: int) -> None:
    assert read([f"--port={port}"]).port == port
