"""How the images are built: from a folder of wheels, without a network; and what they judge by."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import docker_cluster
from pytest_narration.errors import ContractBroken
from pytest_narration.recorder import Recorder

_ROOT = Path(__file__).parents[2]
_BUILD = _ROOT / "harness" / "images" / "build.sh"
_WHEELS = _ROOT / "build" / "images" / "wheelhouse" / "common"
_TAG = "without-network"
_IMAGE = f"narration/orchestrator:{_TAG}"
_SECONDS = 300.0
_BREAK = """
from pytest_narration.emit import narrate
narrate("job_admit", "Admitted nothing of anybody", actor="admission")
"""


@pytest.fixture
def wheelhouse(engine: Any, images: None, tmp_path: Path) -> Path:
    """A folder of the wheels that all services need; no torch, which only the worker needs."""
    if not any(_WHEELS.glob("*.whl")):
        pytest.skip(f"{_WHEELS} holds no wheels: the images were built elsewhere, or online")
    return Path(shutil.copytree(_WHEELS, tmp_path / "wheels"))


@pytest.fixture
def fresh_base(engine: Any) -> Iterator[str]:
    """A base that no layer in the build cache was built on: libraries are installed on it."""
    tag = f"narration/base:{os.getpid()}"
    below = engine.images.get("narration/orchestrator:latest").attrs["RootFS"]["Layers"][0]
    bases = [
        each
        for name in ("narration/base", "python")
        for each in engine.images.list(name)
        if each.attrs["RootFS"]["Layers"][0] == below
    ]
    if not bases:
        pytest.skip("the engine no longer has the base that the images were built on")
    made = engine.containers.create(bases[0].id, ["python3"], network_mode="none")
    try:
        made.put_archive("/", _archive("narration-test", secrets.token_bytes(16)))
        made.commit("narration/base", str(os.getpid()))
    finally:
        made.remove()
    yield tag
    for image in (_IMAGE, tag):
        if engine.images.list(image):
            engine.images.remove(image)


def _archive(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _build_without_network(
    wheelhouse: Path, base: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Build the orchestrator's image where the only way out is the engine's socket."""
    alone = ["unshare", "--net", *(["--map-root-user"] if os.getuid() else [])]
    tried = subprocess.run([*alone, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    return subprocess.run(
        [*alone, str(_BUILD), sys.executable],
        env={
            **os.environ,
            "BASE_IMAGE": base,
            "CONTEXT": str(folder / "context"),
            "PROGRESS": "plain",
            "SERVICES": "orchestrator",
            "TAG": _TAG,
            "WHEELHOUSE": str(wheelhouse),
        },
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


def test_an_image_is_built_from_a_wheelhouse_without_any_network(
    engine: Any, wheelhouse: Path, fresh_base: str, tmp_path: Path
) -> None:
    built = _build_without_network(wheelhouse, fresh_base, tmp_path)
    assert built.returncode == 0, built.stderr[-3000:]
    assert "Looking in links: /wheelhouse" in built.stderr, "pip ran, the cache was of no use"
    told = engine.containers.run(
        _IMAGE,
        ["-c", "import aiohttp, msgspec, jsonschema_rs, starlette, uvicorn; print('all there')"],
        entrypoint="python3",
        network_mode="none",
        remove=True,
    )
    assert told == b"all there\n"


def test_a_wheel_that_is_missing_is_named_and_fetched_from_nowhere(
    wheelhouse: Path, fresh_base: str, tmp_path: Path
) -> None:
    for wheel in wheelhouse.glob("msgspec-*.whl"):
        wheel.unlink()
    failed = _build_without_network(wheelhouse, fresh_base, tmp_path)
    assert failed.returncode != 0
    assert "No matching distribution found for msgspec" in failed.stderr


def test_containers_judge_their_events_by_the_projects_contracts(
    images: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARRATION_VALIDATE", raising=False)
    recorder = Recorder()
    with docker_cluster(recorder) as cluster:
        job = cluster.submit()
        stream = cluster.open_stream(job)
        stream.wait_done(60.0)
        assert [frame.type for frame in stream.frames][-2:] == ["end", "done"]
        broken = cluster.orchestrator.exec(["python3", "-c", _BREAK], timeout=30.0)
        variable = ["python3", "-c", "import os; print(os.environ['NARRATION_VALIDATE'])"]
        assert cluster.orchestrator.exec(variable).stdout == "strict\n"
    assert broken.returncode == 1
    assert ContractBroken.__name__ in broken.stderr
    assert "correlation_id is missing: expected the id, which every job_admit has" in broken.stderr
    assert recorder.records(action="contract_broken") == []
