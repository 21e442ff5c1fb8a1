"""A safetensors file <-> the worker's :class:`~.model.Transformer`; and the tiny model itself.

A checkpoint is compatible when its metadata says so: under :data:`KEY` stands the JSON
``{"format": FORMAT, "config": {…}}`` with the sizes of a :class:`~.model.Config`; its tensors then
have the names and shapes of that model. Anything else is refused with the first difference, before
any memory is spent on it.

``python -m harness.services.worker.checkpoint [PATH]`` writes the tiny checkpoint; a worker that
is started with ``--model tiny`` writes it on its first use.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .model import Config, Transformer
from .options import TINY
from .tokens import BOS, EOS, VOCAB

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FORMAT",
    "KEY",
    "CheckpointError",
    "ensure_tiny",
    "load",
    "locate",
    "save",
    "tiny",
]

FORMAT = "narration-decoder/1"
KEY = "narration"
"""The one key of the metadata: safetensors writes several in random order, and the tiny file
shall have the same bytes everywhere."""

_SEED = 20_250
_RECIPE = "1"
"""Changes with anything that changes the tiny weights, so that an older file is replaced."""


class CheckpointError(Exception):
    """A checkpoint cannot be read, or is not one that this worker can run."""


def locate(model: str) -> Path:
    """Return the file of ``--model``: a path, or ``tiny``, which is generated when absent.

    :raises CheckpointError: the path is no file, or the tiny file cannot be written.
    """
    if model == "tiny":
        try:
            return ensure_tiny()
        except OSError as error:
            raise CheckpointError(
                f"the tiny checkpoint cannot be written to {TINY.parent}: {error}; "
                "generate it elsewhere with `python -m harness.services.worker.checkpoint PATH` "
                "and start the worker with --model PATH"
            ) from error
    path = Path(model)
    if not path.is_file():
        raise CheckpointError(f"{model} is no file; --model takes `tiny` or a .safetensors file")
    return path


def load(path: Path, device: torch.device) -> Transformer:
    """Return the model of a checkpoint, on a device, ready for inference.

    :raises CheckpointError: the file cannot be read or is incompatible; says the difference.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            config = _config(path, _metadata(file))
            with torch.device("meta"):
                model = Transformer(config)
            _compare(path, file, model)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} cannot be read as safetensors: {error}") from error
    model.load_state_dict(weights, assign=True)
    model.make_tables()
    return model.to(device).eval().requires_grad_(False)


def save(model: Transformer, path: Path, *, note: Mapping[str, str] | None = None) -> None:
    """Write a checkpoint so that a reader sees the whole file or none of it.

    Concurrent writers do not disturb each other: the last to finish wins.
    """
    from safetensors.torch import save as to_bytes

    metadata = {"format": FORMAT, "config": model.config.as_dict(), **(note or {})}
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(to_bytes(tensors, {KEY: json.dumps(metadata)}))
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def ensure_tiny(path: Path = TINY) -> Path:
    """Return the path of the tiny checkpoint, generating the file if it is absent or older."""
    if not _is_current(path):
        save(tiny(), path, note={"recipe": _RECIPE})
    return path


def tiny(seed: int = _SEED) -> Transformer:
    """Return the tiny model, 2 layers x 64, the same weights on every machine.

    It is not trained. The bias of its last layer is the frequency of bytes in this package's own
    English, so that it babbles in letters; training starts there too.
    """
    model = Transformer(Config())
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                # Variance-preserving, but for a head loud enough to argue with its bias.
                scale = 1.0 if name.startswith("embedding") else weight.shape[1] ** -0.5
                scale *= 1.5 if name.startswith("head") else 1.0
                weight.copy_(torch.randn(weight.shape, generator=source) * scale)
        model.head.bias.copy_(_byte_frequencies())
    model.make_tables()
    return model


def _byte_frequencies() -> Tensor:
    """Return the log-probability [vocab] of each token in a few lines of English."""
    counts = Counter(_ENGLISH.encode("ascii"))
    total = sum(counts.values())
    # Absent bytes stay possible for a sampler and hopeless for a greedy one.
    bias = [math.log(counts.get(token, 1e-3) / total) for token in range(VOCAB)]
    bias[BOS] = bias[EOS] = -30.0
    return torch.tensor(bias)


_ENGLISH = """\
A request crosses services: the client asks, the orchestrator answers, the pool manager finds a
free worker and the worker thinks aloud. Each of them says what it does, one line at a time, and
some of these lines reach the one who asked. When a name gets lost on the way, when one story is
told in the middle of another, when a failure says nothing at all, somebody should notice before
the night is over. So we listen, we keep every word, and we put the words in the order in which
they had to happen.
"""


def _is_current(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return _metadata(file).get("recipe") == _RECIPE
    except (SafetensorError, OSError):
        return False


def _metadata(file: Any) -> dict[str, Any]:
    """Return what a checkpoint says about itself, ``{}`` when it says nothing of ours."""
    try:
        said = json.loads((file.metadata() or {}).get(KEY, "{}"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _config(path: Path, metadata: Mapping[str, Any]) -> Config:
    found = metadata.get("format")
    if found != FORMAT:
        raise CheckpointError(
            f"{path.name} is not a checkpoint of this worker: its metadata says format "
            f"{found!r}, expected {FORMAT!r}"
        )
    try:
        config = Config(**metadata.get("config", {}))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path.name} has an unusable config: {error}") from error
    if config.vocab != VOCAB:
        raise CheckpointError(
            f"{path.name} has a vocabulary of {config.vocab}, the byte tokenizer has {VOCAB}"
        )
    return config


def _compare(path: Path, file: Any, model: Transformer) -> None:
    """Refuse tensors that are missing, unknown, of another shape or of a type not for weights."""
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    names = set(file.keys())
    if lacking := sorted(expected.keys() - names):
        raise CheckpointError(f"{path.name} lacks {len(lacking)} tensors, first {lacking[0]}")
    if unknown := sorted(names - expected.keys()):
        raise CheckpointError(f"{path.name} has {len(unknown)} unknown tensors, first {unknown[0]}")
    kinds = set()
    for name, shape in expected.items():
        piece = file.get_slice(name)
        if piece.get_shape() != shape:
            raise CheckpointError(
                f"{path.name}: {name} has shape {piece.get_shape()}, its config says {shape}"
            )
        kinds.add(piece.get_dtype())
    if len(kinds) != 1 or not kinds <= {"F32", "BF16", "F16"}:
        raise CheckpointError(
            f"{path.name} has tensors of type {', '.join(sorted(kinds))}; "
            "expected one of F32, BF16, F16 for all"
        )


def main(arguments: list[str] | None = None) -> int:
    """Write the tiny checkpoint to the path given, or to its usual place."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.stderr.write("usage: python -m harness.services.worker.checkpoint [PATH]\n")
        return 0 if arguments[0] in ("-h", "--help") else 2
    path = ensure_tiny(Path(arguments[0]) if arguments else TINY)
    sys.stderr.write(f"{path} ({path.stat().st_size} bytes)\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
