"""Checkpoints: the tiny one is the same everywhere; a wrong one is refused with its difference."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness.services.worker.checkpoint import (
    FORMAT,
    KEY,
    CheckpointError,
    ensure_tiny,
    load,
    locate,
    save,
    tiny,
)
from harness.services.worker.model import Config

CPU = torch.device("cpu")


def test_the_tiny_model_is_the_same_each_time() -> None:
    one, other = tiny().state_dict(), tiny().state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(tiny(seed=1).head.weight, one["head.weight"])


def test_the_tiny_file_has_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    first = ensure_tiny(tmp_path / "a" / "tiny.safetensors")
    command = [sys.executable, "-m", "harness.services.worker.checkpoint", str(tmp_path / "b")]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    assert first.read_bytes() == (tmp_path / "b").read_bytes()


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    model = tiny()
    save(model, tmp_path / "m.safetensors")
    loaded = load(tmp_path / "m.safetensors", CPU)
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    assert not loaded.cos.is_meta


def test_half_precision_is_loaded_as_it_is(tmp_path: Path) -> None:
    save(tiny().bfloat16(), tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors", CPU).head.weight.dtype is torch.bfloat16


def test_concurrent_starters_all_get_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "models" / "tiny.safetensors"

    def start(_: int) -> int:
        return load(ensure_tiny(path), CPU).config.layers

    with ThreadPoolExecutor(8) as starters:
        assert list(starters.map(start, range(16))) == [2] * 16
    assert list(path.parent.iterdir()) == [path], "no drafts are left behind"


def test_an_intact_file_is_kept_and_an_older_or_broken_one_replaced(tmp_path: Path) -> None:
    path = ensure_tiny(tmp_path / "tiny.safetensors")
    good = path.read_bytes()
    made = path.stat().st_mtime_ns
    assert ensure_tiny(path).stat().st_mtime_ns == made
    save(tiny(seed=3), path, note={"recipe": "0"})
    assert ensure_tiny(path).read_bytes() == good
    path.write_bytes(good[:1000])
    assert ensure_tiny(path).read_bytes() == good


Damage = Callable[[dict[str, torch.Tensor], dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda t, m: m.clear(), "metadata says format None"),
        (lambda t, m: m.update(format="gguf"), "format 'gguf', expected 'narration-decoder/1'"),
        (lambda t, m: m.update(config=[1]), "unusable config"),
        (lambda t, m: m.update(config={"colour": 3}), "unexpected keyword argument 'colour'"),
        (lambda t, m: m.update(config={"layers": -1}), "layers is -1"),
        (lambda t, m: m.update(config={"vocab": 50257}), "vocabulary of 50257"),
        (lambda t, m: t.pop("norm.weight"), "lacks 1 tensors, first norm.weight"),
        (lambda t, m: t.update(extra=torch.zeros(1)), "1 unknown tensors, first extra"),
        (lambda t, m: t.update({"norm.weight": torch.ones(65)}), r"norm.weight has shape \[65\]"),
        (lambda t, m: t.update({"norm.weight": torch.ones(64).int()}), "type F32, I32"),
    ],
)
def test_an_incompatible_checkpoint_is_refused_with_its_first_difference(
    damage: Damage, complaint: str, tmp_path: Path
) -> None:
    tensors = dict(tiny().state_dict())
    metadata: dict[str, Any] = {"format": FORMAT, "config": Config().as_dict()}
    damage(tensors, metadata)
    path = tmp_path / "odd.safetensors"
    save_file(tensors, path, {KEY: json.dumps(metadata)})
    with pytest.raises(CheckpointError, match=complaint):
        load(path, CPU)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (Config(layers=512, width=1 << 16, heads=64, hidden=1 << 18), "lacks 3060 tensors"),
        (Config(width=1 << 20, heads=1, context=1 << 20), "has shape"),
    ],
)
def test_a_config_that_promises_more_than_the_file_has_costs_no_memory(
    config: Config, complaint: str, tmp_path: Path
) -> None:
    metadata = {KEY: json.dumps({"format": FORMAT, "config": config.as_dict()})}
    save_file(dict(tiny().state_dict()), tmp_path / "m.safetensors", metadata)
    with pytest.raises(CheckpointError, match=complaint):
        load(tmp_path / "m.safetensors", CPU)


@pytest.mark.parametrize("metadata", [None, {KEY: "not JSON"}, {KEY: "[1]"}, {"format": FORMAT}])
def test_metadata_of_another_kind_is_refused(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    save_file(dict(tiny().state_dict()), tmp_path / "m.safetensors", metadata)
    with pytest.raises(CheckpointError, match="metadata says format None"):
        load(tmp_path / "m.safetensors", CPU)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a model")
    with pytest.raises(CheckpointError, match=r"notes.txt cannot be read as safetensors"):
        load(path, CPU)


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no file; --model takes `tiny`"):
        locate(str(tmp_path))


def test_loading_imports_nothing_of_torchs_compiler() -> None:
    """It would take as long as torch itself, at each start of a worker."""
    program = (
        "import sys\n"
        "from harness.services.worker.engine import load_engine\n"
        "load_engine(device='cpu', model='tiny', slots=1, kv_tokens=None, worker_id='w')\n"
        "print(sys.modules.keys() & {'torch._dynamo', 'torch._inductor', 'sympy'}, file=sys.stderr)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr.strip()) == (0, "set()")
