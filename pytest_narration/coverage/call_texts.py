"""An expression of Python source -> the template of the text that it makes.

``"Loaded {model}"``, ``f"Loaded {self.model}"``, ``"Loaded %s" % model``, ``"Loaded {}".format(m)``
and ``"Loaded " + model`` all give ``"Loaded {…}"`` with a name for what varies.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

__all__ = ["Constants", "constants_of", "has_placeholder", "has_words", "is_met", "template_of"]

_PRINTF = re.compile(
    r"%(?:\((?P<key>[^)]*)\))?[#0+-]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?(?P<kind>[diouxXeEfFgGcrsa%])"
)
_FIELD = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}:!]*)[^{}]*\}")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_LETTER = re.compile(r"[^\W\d_]")
_VALUE = "value"


def has_placeholder(template: str) -> bool:
    """Whether anything in the text varies."""
    return _PLACEHOLDER.search(template) is not None


def has_words(template: str) -> bool:
    """Whether anything in the text could be recognised whatever its values are."""
    return _LETTER.search(_PLACEHOLDER.sub("", template)) is not None


def is_met(pattern: str, template: str) -> bool:
    """Whether a regular expression stands for a template, tried with words and with numbers."""
    tried = (_PLACEHOLDER.sub(value, template) for value in ("1", "x"))
    return any(re.fullmatch(pattern, text, re.DOTALL) for text in tried)


Constants = Mapping[str, ast.expr]
"""``{name: value}`` of what a module assigns once, at its top."""


def constants_of(tree: ast.Module) -> Constants:
    """Return the texts that a module gives names: ``SERVICE = "cart"``."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {t.id: node.value for t in targets if isinstance(t, ast.Name)}
    return found


def template_of(
    node: ast.expr, values: Sequence[ast.expr] = (), constants: Constants = MappingProxyType({})
) -> str | None:
    """Return the template, ``None`` when the expression contains no words of its own.

    :param values: what a logger fills into the text, as ``%`` would: the arguments after it.
    :param constants: stand for their values, when they are the whole expression.
    """
    text = _text(constants.get(node.id, node) if isinstance(node, ast.Name) else node)
    return _printf(text, values) if text is not None and values else text


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_part(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            values = right.elts if isinstance(right, ast.Tuple) else [right]
            words = _text(left)
            return None if words is None else _printf(words, values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            texts = [_text(left), _text(right)]
            if texts == [None, None]:
                return None
            return "".join(
                _placeholder(n) if t is None else t
                for t, n in zip(texts, (left, right), strict=True)
            )
        case ast.Call(func=ast.Attribute(value=value, attr="format"), args=args):
            words = _text(value)
            return None if words is None else _formatted(words, args)
    return None


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return _placeholder(part.value)
    return str(part.value) if isinstance(part, ast.Constant) else ""


def _printf(text: str, values: Sequence[ast.expr]) -> str:
    names = iter(values)

    def name(found: re.Match[str]) -> str:
        if found["kind"] == "%":
            return "%"
        if found["key"]:
            return _named(found["key"])
        return _placeholder(next(names, None))

    return _PRINTF.sub(name, text)


def _formatted(text: str, values: Sequence[ast.expr]) -> str:
    following: Iterator[ast.expr] = iter(values)

    def name(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0][0]
        if found["name"] == "":
            return _placeholder(next(following, None))
        if found["name"].isdecimal() and int(found["name"]) < len(values):
            return _placeholder(values[int(found["name"])])
        return _named(found["name"])

    return _FIELD.sub(name, text)


def _placeholder(node: ast.expr | None) -> str:
    """Name what varies by the variable, attribute or function that gives it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name)):
            return _named(name)
        case ast.Call(func=ast.Attribute(attr=name)):
            return _named(name)
    return _named(_VALUE)


def _named(name: str) -> str:
    """Return a placeholder whose name is what a template's may be."""
    return "{" + (re.sub(r"\W+", "_", name.rpartition(".")[2]).strip("_") or _VALUE) + "}"
