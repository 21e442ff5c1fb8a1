"""An expression -> how it makes an id by hand; an assignment -> the names that it binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .names import Names, text_of
from .vocabulary import is_maker

__all__ = ["defaults", "handmade", "header_of", "pairs"]


def handmade(value: ast.expr, names: Names) -> str:
    """Return what makes an id of this value, empty when nothing does."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and is_maker(made := names.of(node.func)):
            return f"{made}()"
        if isinstance(node, ast.Attribute | ast.Name) and is_maker(made := names.of(node)):
            return made  # a factory, default_factory=uuid.uuid4, or a name for what one made
        if isinstance(node, ast.Call) and names.of(node.func) == "id":
            return "id()"
    return _put_together(value)


def _put_together(value: ast.expr) -> str:
    if isinstance(value, ast.JoinedStr):
        return "an f-string"
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Mod):
        sides = (value.left, value.right)
        return "putting texts together" if any(map(_is_text, sides)) else ""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        is_joined = _is_text(value.func.value) and value.func.attr in ("format", "join")
        return f".{value.func.attr}()" if is_joined else ""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.args:
        return _put_together(value.args[0]) if value.func.id == "str" else ""
    if isinstance(value, ast.BoolOp):
        return next(filter(None, map(_put_together, value.values)), "")
    if isinstance(value, ast.IfExp):
        return _put_together(value.body) or _put_together(value.orelse)
    return ""


def _is_text(node: ast.expr) -> bool:
    is_literal = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_literal or bool(_put_together(node))


def pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield ``(name, value)`` for each name that an assignment binds."""
    if isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        if len(values) == len(target.elts):
            for one, other in zip(target.elts, values, strict=True):
                yield from pairs(one, other)
    elif isinstance(target, ast.Subscript):
        if name := text_of(target.slice):
            yield name, value
    elif isinstance(target, ast.Attribute):
        yield target.attr, value
    elif isinstance(target, ast.Name):
        yield target.id, value


def header_of(node: ast.expr) -> str:
    """Return the name that a literal spells, as text or bytes; empty when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return node.value.decode("ascii", "replace")
    return text_of(node)


def defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """Yield ``(parameter, default)``."""
    named = [*arguments.posonlyargs, *arguments.args]
    given = arguments.defaults
    positional = zip(named[len(named) - len(given) :], given, strict=True)
    for argument, default in (
        *positional,
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ):
        if default is not None:
            yield argument.arg, default
