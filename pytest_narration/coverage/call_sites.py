"""Python source -> the places that narrate or log, and the line of each declared point.

Reports show where a missing point would have been emitted, LCOV and Cobertura need lines, and
``narration catalog scan`` and ``check`` compare source and catalog. Nothing is imported or run:
the source is only parsed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..formats.actions import action_of
from .catalog import Catalog, Point

__all__ = ["CallSite", "Location", "locate", "scan_source", "scan_tree", "services_in"]

_LEVELS = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "msg": "info",
    "warning": "warn",
    "warn": "warn",
    "error": "error",
    "exception": "error",
    "critical": "fatal",
    "fatal": "fatal",
}
_LOGGERS = ("log", "logger", "logging", "structlog")


@dataclass(frozen=True, slots=True)
class CallSite:
    """One call that narrates or logs words the source itself contains."""

    path: Path
    line: int
    kind: str
    """``"narrate"`` or ``"log"``."""
    action: str
    """The first argument of ``narrate``; for a logger what its reader makes of the words."""
    text: str
    """The template; an f-string is given back with its expressions in braces."""
    actor: str | None = None
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Location:
    """A line of source."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}"


def scan_source(source: str, path: Path) -> list[CallSite]:
    """Return the call sites of one module, in order of lines.

    :raises SyntaxError: the source is not Python of this interpreter's version.
    """
    visitor = _Visitor(path)
    visitor.visit(ast.parse(source, filename=str(path)))
    return sorted(visitor.found, key=lambda site: (site.line, site.text))


def services_in(root: Path) -> dict[Path, str]:
    """Return ``{file: service}`` for each ``configure("service", …)`` below a folder."""
    found: dict[Path, str] = {}
    for file in _python_files(root):
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _last_name(node.func) == "configure" and node.args:
                name = _text(node.args[0])
                if name and "{" not in name:
                    found.setdefault(file, name)
    return found


def scan_tree(root: Path) -> Iterator[CallSite]:
    """Yield the call sites of a file or of every ``.py`` file below a folder.

    Hidden folders, virtual environments and files that do not parse are passed over.
    """
    for file in _python_files(root):
        try:
            yield from scan_source(file.read_text(encoding="utf-8"), file)
        except (SyntaxError, UnicodeDecodeError):
            continue


def locate(catalog: Catalog, *, base: Path | None = None) -> dict[str, Location]:
    """Return ``{point id: Location}`` for each point whose ``call_site`` leads to a line.

    The line is that of ``narrate(action, template)``; where the template reaches the call through
    a variable, that of the template's literal. Paths are relative to ``base``, the current folder
    unless told otherwise, when they lie below it.
    """
    base = (base or Path.cwd()).resolve()
    scans: dict[Path, _Scan] = {}
    found = {}
    for point in catalog.points:
        if not point.call_site:
            continue
        name, fixed = _split(point.call_site)
        path = (point.root / name).resolve()
        if path not in scans:
            scans[path] = _Scan(path)
        location = scans[path].find(point) or (
            Location(path, fixed) if fixed and path.is_file() else None
        )
        if location:
            found[point.id] = Location(_relative(location.path, base), location.line)
    return found


class _Scan:
    """The call sites and string literals of a file or folder, read once."""

    def __init__(self, root: Path) -> None:
        self._sites: dict[tuple[str, str], list[CallSite]] = {}
        self._literals: dict[str, Location] = {}
        for file in _python_files(root):
            try:
                source = file.read_text(encoding="utf-8")
                tree = ast.parse(source)
            except (SyntaxError, UnicodeDecodeError):
                continue
            for site in scan_source(source, file):
                self._sites.setdefault((site.action, site.text), []).append(site)
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    self._literals.setdefault(node.value, Location(file, node.lineno))

    def find(self, point: Point) -> Location | None:
        sites = self._sites.get((point.action, point.text), ())
        best = max(sites, key=lambda site: (site.actor == point.actor, -site.line), default=None)
        if best:
            return Location(best.path, best.line)
        return self._literals.get(point.text)


class _Visitor(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.found: list[CallSite] = []
        self._path = path

    def visit_Call(self, node: ast.Call) -> None:
        site = self._narrate(node) or self._log(node)
        if site:
            self.found.append(site)
        self.generic_visit(node)

    def _narrate(self, node: ast.Call) -> CallSite | None:
        if _last_name(node.func) != "narrate" or len(node.args) < 2:
            return None
        action, text = _text(node.args[0]), _text(node.args[1])
        if action is None or text is None:
            return None
        keywords = {k.arg: _text(k.value) for k in node.keywords if k.arg}
        return CallSite(
            self._path,
            node.lineno,
            "narrate",
            action,
            text,
            actor=keywords.get("actor"),
            level=keywords.get("level") or "info",
        )

    def _log(self, node: ast.Call) -> CallSite | None:
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _LEVELS:
            return None
        receiver = _last_name(node.func.value)
        if receiver is None or receiver.lower().rpartition("_")[2] not in _LOGGERS:
            return None
        text = _text(node.args[0]) if node.args else None
        if text is None:
            return None
        action = action_of(text)
        if not action:
            return None
        level = _LEVELS[node.func.attr]
        return CallSite(self._path, node.lineno, "log", action, text, level=level)


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                parts.append("{" + ast.unparse(part.value).rpartition(".")[2] + "}")
            elif isinstance(part, ast.Constant):
                parts.append(str(part.value))
        return "".join(parts)
    return None


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):  # structlog.get_logger().info(...), log.bind(...).info(...)
        return _last_name(node.func) if not isinstance(node.func, ast.Attribute) else _bound(node)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _bound(node: ast.Call) -> str | None:
    assert isinstance(node.func, ast.Attribute)
    if node.func.attr in ("get_logger", "getLogger"):
        return "logger"
    return _last_name(node.func.value) if node.func.attr in ("bind", "opt", "new") else None


def _python_files(root: Path) -> Iterable[Path]:
    if root.is_file():
        return [root]
    skipped = ("node_modules", "__pycache__", "site-packages", "venv", "build", "dist")
    return sorted(
        file
        for file in root.rglob("*.py")
        if not any(p.startswith(".") or p in skipped for p in file.relative_to(root).parts)
    )


def _split(call_site: str) -> tuple[str, int]:
    path, colon, line = call_site.rpartition(":")
    return (path, int(line)) if colon and line.isdecimal() else (call_site, 0)


def _relative(path: Path, base: Path) -> Path:
    return path.relative_to(base) if path.is_relative_to(base) else path
