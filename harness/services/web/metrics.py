"""Counts -> the Prometheus text format (exposition format 0.0.4), for ``GET /metrics``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from starlette.responses import Response

__all__ = ["Metrics"]

_MEDIA_TYPE = "text/plain; version=0.0.4"


class Metrics:
    """A service's counters and gauges; belongs to the event loop.

    ::

        metrics = Metrics("orchestrator")
        metrics.counter("jobs_total", "Jobs that ended, by outcome.", "outcome")
        metrics.gauge("jobs_queued", "Jobs that wait for a slot.", lambda: len(queue))
        metrics.add("jobs_total", "completed")
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._help: dict[str, tuple[str, str]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._gauges: dict[str, Callable[[], float | Mapping[str, float]]] = {}

    def counter(self, name: str, help: str, label: str = "") -> None:
        """Declare a counter, with at most one label."""
        self._help[name] = (help, label)
        self._counts[name] = Counter({"": 0} if not label else {})

    def gauge(
        self, name: str, help: str, read: Callable[[], float | Mapping[str, float]], label: str = ""
    ) -> None:
        """Declare a gauge: ``read()`` gives its value, or ``{label value: value}``."""
        self._help[name] = (help, label)
        self._gauges[name] = read

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count."""
        self._counts[name][label] += amount

    def render(self) -> str:
        """Return everything as text."""
        lines: list[str] = []
        for name, (what, label) in self._help.items():
            full = f"{self._prefix}_{name}"
            kind = "counter" if name in self._counts else "gauge"
            lines += [f"# HELP {full} {what}", f"# TYPE {full} {kind}"]
            for value_of, value in sorted(self._values(name).items()):
                shown = f'{{{label}="{_escape(value_of)}"}}' if label else ""
                lines.append(f"{full}{shown} {value:g}")
        return "\n".join(lines) + "\n"

    def response(self) -> Response:
        """Return everything as an HTTP response."""
        return Response(self.render(), media_type=_MEDIA_TYPE)

    def _values(self, name: str) -> Mapping[str, float]:
        if name in self._counts:
            return self._counts[name]
        read = self._gauges[name]()
        return read if isinstance(read, Mapping) else {"": read}


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
