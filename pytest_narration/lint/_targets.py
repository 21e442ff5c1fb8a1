"""Dotted names -> what whoever calls or takes them does: print, set up logs, log, narrate."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ADDS",
    "ASKED",
    "CALLS",
    "DEVICES",
    "ENCODES",
    "FACADE",
    "HANDLER",
    "HANDLERS",
    "LOGS",
    "NARRATES",
    "OPENS",
    "PRINTS",
    "PRIVATE",
    "SETS_UP",
    "TAKEN",
]

_STREAM: Final = r"sys\.(__)?(stdout|stderr)(__)?(\.buffer)?"
PRINTS: Final = re.compile(
    rf"(builtins\.)?print|pprint\.(pprint|pp)|{_STREAM}\.write(lines)?|"
    r"(click|typer)\.(echo|secho)|rich\.print|rich\.console\.Console\(\)\.(print|log)"
)
TAKEN: Final = re.compile(rf"(builtins\.)?print|{_STREAM}(\.write(lines)?)?")
ASKED: Final = re.compile(rf"{_STREAM}\.(isatty|flush|encoding|errors|closed)")
DEVICES: Final = re.compile(r"/dev/(stdout|stderr|tty|fd/[12])|/proc/self/fd/[12]")
OPENS: Final = frozenset({"os.write", "os.writev", "os.fdopen", "open", "io.open", "io.FileIO"})
HANDLER: Final = re.compile(r"logging\.(handlers\.)?\w*Handler")
SETS_UP: Final = re.compile(
    r"logging\.(basicConfig|config\.\w+)|loguru\.logger\.(add|configure)|"
    r"structlog\.(configure(_once)?|wrap_logger|(Print|Write|Bytes)Logger(Factory)?|"
    r"stdlib\.recreate_defaults)|.*\.(addHandler|setFormatter)"
)
_LOGGER: Final = r"(.*\.)?(log|logger|logging|root|_log|_logger|LOG|LOGGER|get_?[lL]ogger\(\))"
HANDLERS: Final = re.compile(rf"{_LOGGER}\.handlers|logging\.lastResort")
ADDS: Final = re.compile(rf"{_LOGGER}\.handlers\.(append|extend|insert)")
LOGS: Final = re.compile(
    rf"{_LOGGER}\.(trace|debug|info|warning|warn|error|exception|critical|fatal|log|msg|bind)"
)
ENCODES: Final = re.compile(r"(json|orjson|ujson|simplejson)\.dumps|msgspec\.json\.encode")
FACADE: Final = "pytest_narration.emit"
NARRATES: Final = frozenset({"narrate", "narrate_auto", "narrate_with_otel_context"})
CALLS: Final = frozenset({"end_job_run", "job_run", "layer", "narration_context", "start_job_run"})
"""What else of the façade takes fields."""
PRIVATE: Final = re.compile(rf"{re.escape(FACADE)}\.(narrator|process|sink|validation|_\w+)(\..*)?")
