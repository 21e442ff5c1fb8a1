"""Whether this machine can take a worker: free memory and GPU, asked of the system itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Preflight", "look"]

_MB = 1 << 20
_NVIDIA_SECONDS = 5.0


class Preflight(NamedTuple):
    """What was found."""

    ram_free_mb: int
    gpu: str
    """Its name, or ``"none"``."""
    vram_free_mb: int
    problem: str = ""
    """Why no worker can start here: ``"RAM_SHORT"``, ``"GPU_MISSING"``; empty when one can."""


def look(*, require_ram_mb: int, require_gpu: bool, root: Path = Path("/")) -> Preflight:
    """Ask the kernel for memory, within the control group's limit, and the driver for GPUs.

    :param root: where ``proc`` and ``sys`` are; another one in tests.
    """
    ram = _free_ram_mb(root)
    gpu, vram = _first_gpu()
    problem = ""
    if ram < require_ram_mb:
        problem = "RAM_SHORT"
    elif require_gpu and gpu == "none":
        problem = "GPU_MISSING"
    return Preflight(ram, gpu, vram, problem)


def _free_ram_mb(root: Path) -> int:
    free = _available(root)
    limit = _number(root / "sys/fs/cgroup/memory.max")
    if limit is not None:
        # Page cache counts as used here, but the kernel gives it back before it refuses memory.
        used = _number(root / "sys/fs/cgroup/memory.current") or 0
        free = min(free, max(0, limit - used + _reclaimable(root)))
    return free // _MB


def _available(root: Path) -> int:
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    # No procfs, as on macOS: what the machine has is the best that can be said.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _reclaimable(root: Path) -> int:
    try:
        for line in (root / "sys/fs/cgroup/memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None


def _first_gpu() -> tuple[str, int]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none", 0
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SECONDS,
            check=True,
        ).stdout
        name, free = answer.splitlines()[0].rsplit(",", 1)
        return name.strip(), int(free)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return "none", 0  # a driver that does not answer is no GPU to us
