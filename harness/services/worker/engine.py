"""Device and checkpoint -> a loaded :class:`Engine`, narrated step by step.

Importing this module is cheap; loading imports torch. Used once, by :mod:`.backend`'s thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_narration.emit import narrate

from .devices import DeviceUnavailable, is_out_of_memory, memory, open_device

if TYPE_CHECKING:
    import torch

    from .batch import Batch

__all__ = ["Engine", "StartFailed", "load_engine"]


class StartFailed(Exception):
    """The worker cannot serve: its device or its model is not to be had. Narrated already."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a job runs on."""

    batch: Batch
    device: torch.device
    model_ref: str

    def memory(self) -> tuple[int, int]:
        """Return total and free bytes of the device's memory."""
        return memory(self.device)


def load_engine(
    *, device: str, model: str, slots: int, kv_tokens: int | None, worker_id: str
) -> Engine:
    """Open the device, load the checkpoint, allocate the cache.

    :param model: ``tiny`` or the path of a safetensors file.
    :param kv_tokens: cache positions of all slots together; their full context by default.
    :raises StartFailed: with the reason, which has been narrated.
    """
    try:
        opened = open_device(device, worker_id=worker_id)
    except DeviceUnavailable as error:
        narrate(
            "error",
            "Device {device} is unavailable: {error_kind}",
            actor="device-manager",
            level="error",
            device=device,
            error_kind="device_unavailable",
            reason=str(error),
            worker_id=worker_id,
        )
        raise StartFailed(str(error)) from error
    # A path would make every story of every machine another one; its last part names the model.
    model_ref = model if model == "tiny" else Path(model).name
    narrate(
        "model_load",
        "Loading model {model_ref}",
        actor="model-loader",
        model_ref=model_ref,
        device=str(opened),
        worker_id=worker_id,
    )
    try:
        return _load(opened, model, model_ref, slots, kv_tokens, worker_id)
    except Exception as error:
        reason, kind = str(error), _kind(error)
        narrate(
            "error",
            "Failed to load model {model_ref}: {error_kind}",
            actor="model-loader",
            level="error",
            model_ref=model_ref,
            device=str(opened),
            error_kind=kind,
            reason=reason,
            worker_id=worker_id,
        )
        raise StartFailed(f"{kind}: {reason}") from error


def _load(
    device: torch.device,
    model: str,
    model_ref: str,
    slots: int,
    kv_tokens: int | None,
    worker_id: str,
) -> Engine:
    from .batch import Batch
    from .checkpoint import load, locate

    began = time.perf_counter()
    path = locate(model)
    loaded = load(path, device)
    batch = Batch(loaded, slots=slots, budget=kv_tokens)
    batch.warm_up()
    narrate(
        "model_load",
        "Loaded model {model_ref} ({size_mb} MB, vocab {vocab})",
        actor="model-loader",
        model_ref=model_ref,
        size_mb=round(path.stat().st_size / 1e6, 1),
        vocab=loaded.config.vocab,
        context=loaded.config.context,
        slots=slots,
        device=str(device),
        duration_ms=round((time.perf_counter() - began) * 1000, 1),
        worker_id=worker_id,
    )
    return Engine(batch, device, model_ref)


def _kind(error: Exception) -> str:
    from .checkpoint import CheckpointError

    if isinstance(error, CheckpointError):
        return "checkpoint_incompatible"
    return "VRAM_OOM" if is_out_of_memory(error) else type(error).__name__
