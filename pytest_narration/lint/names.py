"""What an expression in a file refers to, by the file's imports and by the names it gives them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import Final

__all__ = ["Names", "imported_module", "text_of"]

_IMPORTERS: Final = ("importlib.import_module", "importlib.__import__", "__import__")
_BUILTINS: Final = frozenset({"print", "open", "__import__", "getattr"})


class Names:
    """The imports of one file, and the names that it gives what they lead to.

    ``import logging as l`` makes ``l.basicConfig`` mean ``logging.basicConfig``; ``say = print``,
    ``getattr(sys, "stdout")`` and ``import_module("sys").stdout`` are seen through as well. Only a
    name that is bound once in the file is taken for what it was bound to.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._known: dict[str, str] = {}
        self.assigned: dict[str, ast.expr] = {}
        """``{name: what it was bound to}`` of the names that are bound once."""
        bound = Counter(_bound(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    whole = name.name if name.asname else name.name.partition(".")[0]
                    self._known[name.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for name in node.names:
                    self._known[name.asname or name.name] = f"{node.module}.{name.name}"
        for target, value in _assigned(tree):
            if bound[target] != 1 or target in self._known:
                continue
            self.assigned[target] = value
            if self._leads_out(meant := self.of(value)):
                self._known[target] = meant

    def of(self, node: ast.expr) -> str:
        """Return the dotted name of an expression, empty when it has none."""
        if isinstance(node, ast.Name):
            return self._known.get(node.id, "builtins" if node.id == "__builtins__" else node.id)
        if isinstance(node, ast.Attribute):
            inner = self.of(node.value)
            return f"{inner}.{node.attr}" if inner else f".{node.attr}"
        if isinstance(node, ast.Call):
            return self._called(node)
        return ""

    def constant(self, node: ast.expr) -> object:
        """Return the value of a literal, or of a name that stands for one; ``None`` otherwise."""
        meant = self.assigned.get(node.id, node) if isinstance(node, ast.Name) else node
        return meant.value if isinstance(meant, ast.Constant) else None

    def _called(self, node: ast.Call) -> str:
        inner = self.of(node.func)
        if inner == "getattr" and len(node.args) > 1 and (name := text_of(node.args[1])):
            return f"{self.of(node.args[0])}.{name}"
        if inner == "functools.partial" and node.args:
            return self.of(node.args[0])
        return imported_module(node, inner) or (f"{inner}()" if inner else "")

    def _leads_out(self, name: str) -> bool:
        root = name.partition(".")[0].removesuffix("()")
        roots = {known.partition(".")[0] for known in self._known.values()}
        return root in roots or root in _BUILTINS or root == "builtins"


def imported_module(node: ast.Call, called: str) -> str:
    """Return which module a call imports, empty when it imports none that it names."""
    return text_of(node.args[0]) if called in _IMPORTERS and node.args else ""


def text_of(node: ast.expr) -> str:
    """Return the text of a literal, empty when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, value


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield each name as often as it is bound: assigned, a parameter, a function, a class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
