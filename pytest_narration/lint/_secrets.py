"""Words that a call tells -> the names of secrets in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from string import Formatter
from typing import Final

from .names import text_of
from .vocabulary import is_secret

__all__ = ["put_together", "secrets_in"]

_GETTERS: Final = frozenset({"get", "getenv", "pop"})
_KEEPERS: Final = frozenset(
    {
        "str", "repr", "ascii", "format", "bytes",
        "capitalize", "casefold", "decode", "encode", "hex", "join", "ljust", "lower", "lstrip",
        "partition", "removeprefix", "removesuffix", "replace", "rjust", "rstrip", "split",
        "strip", "swapcase", "title", "translate", "upper", "zfill",
    }
)  # fmt: skip
"""Functions and methods whose result still tells the value; that of others may not."""


def secrets_in(
    word: ast.expr, *, is_value: bool = True, holders: Container[str] = ()
) -> Iterator[str]:
    """Yield the names of secrets that a word tells.

    :param is_value: take a bare name as told; ``False`` where its own name redacts it.
    :param holders: names that hold a secret and do not say so.
    """
    told = _told(word, is_value=is_value)
    return (name for name in told if name in holders or is_secret(name))


def put_together(node: ast.expr) -> str:
    """Return how a text is put together, empty when it is not."""
    if isinstance(node, ast.JoinedStr):
        return "an f-string"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return "put together" if isinstance(node.op, ast.Add) else "formatted with %"
    return f"made by .{method}()" if (method := _joining(node)) else ""


def _joining(node: ast.expr) -> str:
    """Return the method of a text that puts others into it, empty when the node calls none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        return name if name in ("format", "format_map", "join") else ""
    return ""


def _told(word: ast.expr, *, is_value: bool) -> Iterator[str]:
    if text := text_of(word):
        yield from _placeholders(text)
    elif isinstance(word, ast.JoinedStr):
        for part in word.values:
            if isinstance(part, ast.FormattedValue):
                yield from _values(part.value)
                if part.format_spec is not None:
                    yield from _told(part.format_spec, is_value=True)
    elif isinstance(word, ast.BinOp) and _is_joined(word):
        for side in (word.left, word.right):
            yield from _told(side, is_value=True)
    elif isinstance(word, ast.Tuple | ast.List | ast.Set):
        for item in word.elts:
            yield from _told(item, is_value=is_value)
    elif isinstance(word, ast.Dict):
        for key, value in zip(word.keys, word.values, strict=True):
            # Redaction knows a secret by its key, at any depth.
            is_redacted = key is not None and is_secret(text_of(key))
            yield from _told(value, is_value=is_value and not is_redacted)
    elif isinstance(word, ast.Call) and _joining(word):
        assert isinstance(word.func, ast.Attribute)
        yield from _told(word.func.value, is_value=False)
        for argument in (*word.args, *(keyword.value for keyword in word.keywords)):
            yield from _told(argument, is_value=True)
    elif is_value:
        yield from _values(word)


def _is_joined(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod)


def _values(node: ast.expr) -> Iterator[str]:
    """Yield the names whose values an expression may have."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        if key := text_of(node.slice):
            yield key
        else:
            yield from _values(node.value)
    elif isinstance(node, ast.Call):
        yield from _results(node)
    elif isinstance(node, ast.IfExp):
        yield from _values(node.body)
        yield from _values(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _values(value)
    elif isinstance(node, ast.Await | ast.NamedExpr | ast.Starred):
        yield from _values(node.value)
    elif isinstance(node, ast.JoinedStr) or _is_joined(node):
        yield from _told(node, is_value=True)


def _results(node: ast.Call) -> Iterator[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if name in _KEEPERS:
            yield from _values(node.func.value)  # password.strip()
    if name in _GETTERS:
        yield from (text for argument in node.args[:1] if (text := text_of(argument)))
    if name in _KEEPERS:
        for argument in node.args:
            yield from _values(argument)  # str(password)


def _placeholders(text: str) -> Iterator[str]:
    try:
        for _, name, _, _ in Formatter().parse(text):
            if name:
                yield re.split(r"[.\[]", name, maxsplit=1)[0]
    except ValueError:
        return  # no template
