"""What a name in a file refers to, by the file's imports; and which names mean ids and emitters."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Final

from ..emit.redaction import Redactor

__all__ = ["Names", "is_emitter", "is_id", "is_maker", "is_secret"]

_IDS: Final = frozenset(
    {
        "correlation_id", "request_id", "job_id", "job_run_id", "run_id", "parent_job_id",
        "session_id", "trace_id", "span_id", "parent_span_id", "event_id",
        "x_correlation_id", "x_request_id", "x_parent_job_id", "traceparent",
    }
)  # fmt: skip
_MAKERS: Final = re.compile(
    r"uuid\.uuid\d|uuid\.UUID|secrets\.\w+|os\.urandom|random\.\w+|time\.time(_ns)?|"
    r"ulid\.\w+(\.\w+)*|uuid_utils\.\w+|uuid6\.\w+|nanoid\.\w+|shortuuid\.\w+|"
    r"datetime\.datetime\.(now|utcnow)|itertools\.count"
)
_EMITTER: Final = re.compile(
    r"_?(narrate|(emit|log|send|publish|track|record|write|push|report)"
    r"_(event|events|narration|telemetry))(_async|_sync)?",
    re.IGNORECASE,
)


class Names:
    """The imports of one file.

    ``import logging as l`` makes ``l.basicConfig`` mean ``logging.basicConfig``.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._known: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    whole = name.name if name.asname else name.name.partition(".")[0]
                    self._known[name.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for name in node.names:
                    self._known[name.asname or name.name] = f"{node.module}.{name.name}"

    def of(self, node: ast.expr) -> str:
        """Return the dotted name of an expression, empty when it has none."""
        if isinstance(node, ast.Name):
            return self._known.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            inner = self.of(node.value)
            return f"{inner}.{node.attr}" if inner else f".{node.attr}"
        if isinstance(node, ast.Call):
            inner = self.of(node.func)
            return f"{inner}()" if inner else ""
        return ""


def is_id(name: str) -> bool:
    """Whether a field, variable or header of this name holds an id of the story."""
    return name.lower().replace("-", "_").lstrip("_") in _IDS


def is_maker(name: str) -> bool:
    """Whether a call of this name makes something to be an id."""
    return _MAKERS.fullmatch(name) is not None


def is_emitter(name: str) -> bool:
    """Whether a function of this name is meant to emit events of any kind."""
    return _EMITTER.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a variable or field of this name holds a secret, as redaction sees it."""
    return _redactor().is_secret_key(name)


@lru_cache(maxsize=1)
def _redactor() -> Redactor:
    return Redactor()
