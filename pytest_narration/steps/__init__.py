"""Phrases for scenarios about any system: given its services, when something happens, then what.

Loaded by ``pytest_plugins = ["pytest_narration.steps"]`` in the root ``conftest.py``, or by the
ini option ``narration_steps = true``. ``narration steps`` lists them, ``docs/steps.md`` explains
them. It needs pytest-bdd: ``pip install "pytest-narration[bdd]"``.

Each module below is one section of the documentation; its docstring is the introduction.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import MissingExtra

__all__ = ["SECTIONS", "pytest_plugins"]

SECTIONS = {
    "services": "Services",
    "requests": "Requests",
    "answers": "Answers",
    "jobs": "Jobs and streams",
    "events": "Events",
    "order": "Order and latency",
    "correlation": "Correlation ids, jobs and traces",
    "channels": "Channels",
    "judging": "Rules, secrets and coverage",
    "stories": "Stories",
}
"""``{module: title}``, in the order of the documentation."""

if find_spec("pytest_bdd") is None:
    raise MissingExtra("pytest-bdd", "bdd")

pytest_plugins = [f"{__name__}.{module}" for module in ("fixtures", "collection", *SECTIONS)]
