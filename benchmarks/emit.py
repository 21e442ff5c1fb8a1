"""What ``narrate()`` costs, side by side with other loggers: ``python -m benchmarks.emit``.

All systems run in one process, in turns, so that what disturbs one disturbs all. A figure is a
median in microseconds of processor time of this process: neither other load nor the reader of the
pipe counts. A ratio is the median of the ratios of each turn, because a shared machine changes its
speed between turns; ratios are what to compare between machines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import ExitStack
from functools import partial
from operator import truediv

from benchmarks._drain import drained_pipe, wait_drained
from benchmarks._events import CLEAN, SECRETS, adversarial
from benchmarks._peers import PEERS, Say, empty_function, narration, structlog_orjson

BASE = "structlog + orjson"
SECRET = "narrate, full of secrets"
SECRET_BASE = f"{BASE}, the same"
BURST = 200
WARM_UP = 50
AIMS = {
    "narrate": ("x", 0.45),
    SECRET: ("x", 1.0),
    "narrate, filtered": ("us", 0.3),
    "redact 100 kB, worst": ("us", 20_000.0),
}


def microseconds(say: Say, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        say()
    return (time.process_time() - started) / calls * 1e6


def in_bursts(say: Say, bursts: int, fd: int) -> list[float]:
    """Measure bursts that fit into the pipe: neither a full pipe nor the reader counts."""
    taken = []
    for _ in range(bursts):
        wait_drained(fd)
        microseconds(say, WARM_UP)
        taken.append(microseconds(say, BURST))
    return taken


def measure(rounds: int, bursts: int) -> dict[str, list[float]]:
    """Return ``{system: [microseconds for each event, a median for each turn]}``."""
    setups = {name: (setup, CLEAN) for name, setup in PEERS.items()}
    setups[SECRET] = (narration, SECRETS)
    setups[SECRET_BASE] = (structlog_orjson, SECRETS)
    taken: dict[str, list[float]] = {name: [] for name in setups}
    filtered, empty = [], []
    with drained_pipe() as fd:
        for turn in range(rounds + 1):
            for name, (setup, said) in setups.items():
                with ExitStack() as stack:
                    figures = in_bursts(setup(fd, said, stack), bursts, fd)
                if turn:  # the first turn warms caches up
                    taken[name].append(statistics.median(figures))
            with ExitStack() as stack:
                say = narration(fd, CLEAN, stack, level="debug")
                filtered.append(microseconds(say, bursts * BURST))
            empty.append(microseconds(empty_function(CLEAN), bursts * BURST))
    taken["narrate, filtered"] = filtered[1:]
    taken["an empty function, so called"] = empty[1:]
    return taken


def paired(taken: dict[str, list[float]]) -> dict[str, float]:
    """Return ``{system: median of its ratios to its base, turn by turn}``."""
    bases = {SECRET: SECRET_BASE, SECRET_BASE: SECRET_BASE}
    return {
        name: statistics.median(map(truediv, figures, taken[bases.get(name, BASE)]))
        for name, figures in taken.items()
    }


def measure_adversarial(rounds: int) -> dict[str, float]:
    """Return ``{kind of text: least microseconds to redact 100,000 characters of it}``."""
    from pytest_narration.emit.redaction import Redactor

    clean = Redactor().clean
    return {
        name: min(microseconds(partial(clean, text), 1) for _ in range(rounds))
        for name, text in adversarial().items()
    }


def table(figures: dict[str, float], ratios: dict[str, float], worst: str) -> str:
    lines = [f"{'':32}{'us/event':>12}{'ratio':>9}   aim"]
    for name, took in figures.items():
        unit, aim = AIMS.get(name, ("", 0.0))
        reached = (ratios[name] if unit == "x" else took) <= aim
        verdict = f"<= {aim:g} {unit}: {'reached' if reached else 'MISSED'}" if unit else ""
        shown = f"{ratios[name]:8.2f}x" if name in ratios else f"{'':9}"
        lines.append(f"{name:32}{took:12.2f}{shown}   {verdict}")
    lines.append(f"worst of the adversarial texts: {worst}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="turns of each system (25)")
    parser.add_argument("--bursts", type=int, default=4, help="of 200 events in each turn (4)")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    taken = measure(options.rounds, options.bursts)
    figures = {name: statistics.median(turns) for name, turns in taken.items()}
    ratios = paired(taken)
    texts = measure_adversarial(3)
    worst = max(texts, key=texts.__getitem__)
    figures["redact 100 kB, worst"] = texts[worst]
    figures["redact 100 kB, median"] = statistics.median(texts.values())
    if options.json:
        told = {"microseconds": figures, "ratios": ratios, "adversarial": texts}
        print(json.dumps(told, indent=2))
    else:
        print(table(figures, ratios, worst))


if __name__ == "__main__":
    main()
