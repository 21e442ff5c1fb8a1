"""Python source -> the places that narrate or log, with their words, and which service they are of.

A call of a helper, ``layer`` or ``start_job_run``, is a site of each event that it narrates.
``narration catalog scan`` and ``check`` compare them with a catalog, and ``locations`` finds the
lines of declared points among them. Nothing is imported or run: the source is only parsed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..emit import job_runs, layers
from ..emit.shorthand import sentence_of
from ..formats.actions import action_of
from .call_texts import constants_of, has_placeholder, has_words, template_of
from .catalog import ANYONE
from .source import Module, PassOver, modules, parse

__all__ = ["CallSite", "scan_module", "scan_source", "scan_tree", "services_in"]

_LEVELS = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "msg": "info",
    "success": "info",
    "warning": "warn",
    "warn": "warn",
    "error": "error",
    "exception": "error",
    "critical": "fatal",
    "fatal": "fatal",
}
_NARRATES = frozenset({"narrate", "narrate_auto", "narrate_with_otel_context"})
_HELPERS = {
    "start_job_run": (job_runs.STARTED,),
    "end_job_run": (job_runs.COMPLETED, job_runs.FAILED),
    "job_run": (job_runs.STARTED, job_runs.COMPLETED, job_runs.FAILED),
    "layer": (layers.STARTED, layers.COMPLETED, layers.FAILED),
}
"""``{helper: what it narrates}``."""
_FAILURES = (job_runs.FAILED, layers.FAILED)
_COMMON_WORDS = ("layer",)
"""Helpers that a call means only where the name was imported from the façade."""
_LOGGERS = ("log", "logging", "structlog")
_FACTORIES = ("get_logger", "getLogger", "getChild")
_DERIVING = ("bind", "opt", "new", "try_unbind", "unbind", "patch", "contextualize")


@dataclass(frozen=True, slots=True)
class CallSite:
    """One call that narrates or logs words the source itself contains."""

    path: Path
    line: int
    kind: str
    """``"narrate"`` or ``"log"``."""
    action: str
    """The first argument of ``narrate``; for a logger what its reader makes of the words, or
    ``"*"`` when that depends on the values among them."""
    text: str
    """The template; values that an expression puts into it are placeholders."""
    actor: str | None = None
    level: str = "info"


def scan_source(source: bytes | str, path: Path) -> list[CallSite]:
    """Return the call sites of one module, in order of lines.

    :raises CatalogError: the source is not Python of this interpreter's version.
    """
    return scan_module(Module(path, parse(source, path)))


def scan_module(module: Module) -> list[CallSite]:
    """Return the call sites of one parsed module, in order of lines."""
    visitor = _Visitor(module)
    visitor.visit(module.tree)
    return sorted(visitor.found, key=lambda site: (site.line, site.text))


def scan_tree(root: Path, pass_over: PassOver | None = None) -> Iterator[CallSite]:
    """Yield the call sites of a file or of every ``.py`` file below a folder.

    :param pass_over: is told of each file that cannot be read or parsed.
    """
    for module in modules(root, pass_over):
        yield from scan_module(module)


def services_in(root: Path) -> dict[Path, str]:
    """Return ``{file: service}`` for each ``configure("service", …)`` below a folder."""
    found: dict[Path, str] = {}
    for module in modules(root):
        constants = constants_of(module.tree)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _last_name(node.func) == "configure":
                keywords = (k.value for k in node.keywords if k.arg == "service")
                given = next(iter(node.args), next(keywords, None))
                name = template_of(given, constants=constants) if given else None
                if name and not has_placeholder(name):
                    found.setdefault(module.path, name)
    return found


class _Visitor(ast.NodeVisitor):
    def __init__(self, module: Module) -> None:
        self.found: list[CallSite] = []
        self._path = module.path
        self._loggers = _logger_names(module.tree)
        self._constants = constants_of(module.tree)
        self._facade = _facade_names(module.tree)

    def _template(self, node: ast.expr, values: Sequence[ast.expr] = ()) -> str | None:
        return template_of(node, values, self._constants)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._called(node.func)
        if name in _NARRATES:
            site = self._narrate(node, name)
        elif name in _HELPERS:
            self.found += self._helper(node, name)
            site = None
        else:
            site = self._log(node)
        if site:
            self.found.append(site)
        self.generic_visit(node)

    def _called(self, function: ast.expr) -> str:
        """Return the name that a function has in the façade, or its last name."""
        name = _last_name(function) or ""
        if isinstance(function, ast.Name):
            name = self._facade.get(name, name)
            is_known = function.id in self._facade
        else:
            inner = _last_name(function.value) if isinstance(function, ast.Attribute) else None
            is_known = inner is not None and self._facade.get(inner, inner) == "emit"
        return name if is_known or name not in _COMMON_WORDS else ""

    def _narrate(self, node: ast.Call, name: str) -> CallSite | None:
        if not node.args:
            return None
        action = self._template(node.args[0])
        if len(node.args) > 1:
            text = self._template(node.args[1])
        else:  # what a ``**`` holds would be among the words
            names = [k.arg for k in node.keywords if k.arg]
            is_told = name == "narrate_auto" and len(names) == len(node.keywords)
            text = sentence_of(action, dict.fromkeys(names, "")) if is_told and action else None
        if not action or not text:
            return None
        keywords = self._keywords(node)
        level = keywords.get("level") or "info"
        actor = keywords.get("actor")
        return CallSite(self._path, node.lineno, "narrate", action, text, actor=actor, level=level)

    def _helper(self, node: ast.Call, name: str) -> Iterator[CallSite]:
        keywords = self._keywords(node)
        for said in _HELPERS[name]:
            action, text = said
            level = "error" if said in _FAILURES else keywords.get("level") or "info"
            actor = keywords.get("actor")
            yield CallSite(
                self._path, node.lineno, "narrate", action, text, actor=actor, level=level
            )

    def _keywords(self, node: ast.Call) -> dict[str, str | None]:
        return {k.arg: self._template(k.value) for k in node.keywords if k.arg}

    def _log(self, node: ast.Call) -> CallSite | None:
        if not isinstance(node.func, ast.Attribute) or not self._is_logger(node.func.value):
            return None
        level, arguments = _LEVELS.get(node.func.attr), node.args
        if node.func.attr == "log" and arguments:  # logger.log(logging.INFO, "words")
            named = _last_name(arguments[0]) or self._template(arguments[0]) or ""
            level, arguments = _LEVELS.get(named.lower(), "info"), arguments[1:]
        text = self._template(arguments[0], arguments[1:]) if level and arguments else None
        if level is None or not text or not has_words(text):
            return None
        # What a reader calls it depends on the text with its values, which source does not show.
        action = ANYONE if has_placeholder(text) else action_of(text)
        if not action:
            return None
        return CallSite(self._path, node.lineno, "log", action, text, level=level)

    def _is_logger(self, node: ast.expr) -> bool:
        name = _last_name(node)
        if name is None:
            return False
        lower = name.lower()
        return (
            name in self._loggers
            or lower.endswith("logger")
            or lower.rpartition("_")[2] in _LOGGERS
        )


def _facade_names(tree: ast.Module) -> dict[str, str]:
    """Return ``{name in this module: name in the façade}`` of what is imported from ``….emit``.

    The façade itself is ``"emit"``. A project may have one of its own that hands ours on.
    """
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            is_facade = (node.module or "").rpartition(".")[2] == "emit"
            for name in node.names:
                if is_facade or name.name == "emit":
                    names[name.asname or name.name] = name.name
        elif isinstance(node, ast.Import):
            names |= {n.asname: "emit" for n in node.names if n.asname and n.name.endswith(".emit")}
    return names


def _logger_names(tree: ast.Module) -> frozenset[str]:
    """Return the names that a module gives to loggers it gets: ``L = structlog.get_logger()``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if isinstance(value, ast.Call) and _last_name(value.func) in _FACTORIES:
            names |= {name for target in targets if (name := _last_name(target))}
    return frozenset(names)


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):  # structlog.get_logger().info(...), log.bind(...).info(...)
        return _last_name(node.func) if not isinstance(node.func, ast.Attribute) else _bound(node)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _bound(node: ast.Call) -> str | None:
    assert isinstance(node.func, ast.Attribute)
    if node.func.attr in _FACTORIES:
        return "logger"
    return _last_name(node.func.value) if node.func.attr in _DERIVING else None
