"""``auto``, ``cpu``, ``cuda`` or ``mps`` -> a torch device that is set up to repeat itself.

Narrates which device it became. Used by :mod:`.engine` at the start of a worker.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_narration.emit import narrate

if TYPE_CHECKING:
    import torch

__all__ = [
    "DEVICES",
    "DeviceUnavailable",
    "is_out_of_memory",
    "memory",
    "open_device",
    "repeat_exactly",
]

DEVICES = ("auto", "cpu", "cuda", "mps")
"""What ``--device`` takes; ``auto`` is CUDA, else MPS, else CPU."""


class DeviceUnavailable(Exception):
    """The device that was asked for is not there, or does not answer."""


def open_device(wanted: str, *, worker_id: str) -> torch.device:
    """Return the device, proven by a first allocation; narrate it.

    :raises DeviceUnavailable: it is absent or broken; ``auto`` never falls back from a broken one,
        because a GPU node that silently computes on its CPU is worse than one that fails.
    """
    # cuBLAS repeats its sums only with a workspace of fixed size; it reads this once.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        import torch
    except ImportError as error:
        raise DeviceUnavailable(f"torch cannot be imported: {error}") from error
    repeat_exactly()
    kind = _choose(wanted)
    try:
        device = (
            torch.device("cuda", torch.cuda.current_device())
            if kind == "cuda"
            else torch.device(kind)
        )
        torch.zeros(1, device=device)
        total, free = memory(device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceUnavailable(f"device {kind} does not answer: {error}") from error
    facts: dict[str, Any] = {
        "device": str(device),
        "vram_total_bytes": total,
        "vram_free_bytes": free,
        "worker_id": worker_id,
    }
    if kind == "cuda":
        narrate(
            "device_init",
            "Initialized CUDA device {device}",
            actor="device-manager",
            device_name=torch.cuda.get_device_name(device),
            **facts,
        )
    elif kind == "mps":
        narrate(
            "device_init",
            "Initialized Apple Metal device {device}",
            actor="device-manager",
            **facts,
        )
    else:
        narrate(
            "device_init",
            "Initialized CPU device",
            actor="device-manager",
            **facts,
        )
    return device


def memory(device: torch.device) -> tuple[int, int]:
    """Return total and free bytes of the memory that the device computes in."""
    import torch

    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total, free
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return total, max(0, total - torch.mps.driver_allocated_memory())
    page = os.sysconf("SC_PAGE_SIZE")
    return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether torch failed for lack of memory; CPU and MPS only say so in words."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "can't allocate memory" in words
    )


def _choose(wanted: str) -> str:
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(kind for kind, there in present.items() if there)
    if wanted not in present:
        raise DeviceUnavailable(f"device {wanted!r} is unknown; choose from {', '.join(DEVICES)}")
    if not present[wanted]:
        there = ", ".join(kind for kind, there in present.items() if there)
        raise DeviceUnavailable(
            f"device {wanted} is not available to torch {torch.__version__}; here are: {there}"
        )
    return wanted


def repeat_exactly() -> None:
    """Make the same input give the same bits: one thread, and no algorithm that races."""
    import torch

    torch.set_num_threads(1)
    # As use_deterministic_algorithms(True), which would import torch's compiler: 2 s of each start.
    torch.set_deterministic_debug_mode("error")
    # A debugging aid that this mode switches on; it fills every result before it is computed.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set by a module class
