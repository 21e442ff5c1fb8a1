"""The cluster's stories, told again and again beside random processor noise: always the same ones.

    python -m benchmarks.same_stories [--runs 50] [--noise 2] [--seed N]

Each run starts the cluster anew and compares every story with the approved one, byte for byte,
while busy loops start and stop at random. What differed is printed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_NOISE = """
import os, random, sys, time
chance = random.Random(int(sys.argv[1]))
starter = os.getppid()
while os.getppid() == starter:
    until = time.monotonic() + chance.uniform(0.01, 0.5)
    while time.monotonic() < until:
        pass
    time.sleep(chance.uniform(0.0, 0.3))
"""
_SHOWN_LINES = 25


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_stories", description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--noise", type=int, default=2, help="busy loops beside the scenarios")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    print(f"{asked.runs} runs, {asked.noise} busy loops, --seed {asked.seed}", flush=True)
    different = 0
    with _noise(asked.noise, asked.seed):
        for number in range(1, asked.runs + 1):
            began = time.monotonic()
            ended = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                    "tests/scenarios/test_stories.py",
                ],
                cwd=_ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            summary = (ended.stdout.strip().splitlines() or ["(no output)"])[-1]
            print(f"{number:3d}  {time.monotonic() - began:5.1f} s  {summary}", flush=True)
            if ended.returncode:
                different += 1
                print("\n".join(_said(ended.stdout)), flush=True)
    print(f"{asked.runs - different} of {asked.runs} runs told every story alike")
    return 1 if different else 0


@contextmanager
def _noise(count: int, seed: int) -> Iterator[None]:
    loops = [
        subprocess.Popen([sys.executable, "-c", _NOISE, str(seed + number)])
        for number in range(count)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _said(output: str) -> list[str]:
    """Return the lines of an assertion's explanation."""
    return [line for line in output.splitlines() if line.startswith("E  ")][:_SHOWN_LINES]


if __name__ == "__main__":
    sys.exit(main())
