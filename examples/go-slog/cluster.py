"""Builds and starts the service and feeds what it prints to the recorder; see pyproject.toml."""

import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_narration.sources import ProcessSource

HERE = Path(__file__).parent


@contextmanager
def cluster(recorder):
    with TemporaryDirectory() as folder:
        program = Path(folder) / "prices"
        subprocess.run(["go", "build", "-o", program, "."], cwd=HERE, check=True, timeout=300)
        with ProcessSource([program], "prices", recorder, env={"PORT": "0"}):
            listening = recorder.wait_for(service="prices", action="listening", timeout=20)
            yield f"http://127.0.0.1:{listening.event.field('port')}"
