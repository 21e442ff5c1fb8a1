"""The source of one module -> its findings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import Final

from .names import Names, is_emitter, is_id, is_maker, is_secret
from .rules import Finding

__all__ = ["findings"]

_PRINTS: Final = re.compile(
    r"(builtins\.)?print|pprint\.(pprint|pp)|sys\.(__)?(stdout|stderr)(__)?(\.buffer)?\.write(lines)?"
)
_STREAMS: Final = re.compile(r"(sys\.(__)?(stdout|stderr)(__)?(\.buffer)?|)")
_HANDLERS: Final = re.compile(
    r"logging\.(basicConfig|config\.\w+|\w*Handler|handlers\.\w+)|structlog\.configure(_once)?|"
    r"loguru\.logger\.(add|configure)|.*\.(addHandler|setFormatter)"
)
_LOGS: Final = re.compile(
    r"(.*\.)?(log|logger|logging|_log|_logger|LOG|LOGGER|getLogger\(\)|get_logger\(\))"
    r"\.(trace|debug|info|warning|warn|error|exception|critical|fatal|log|msg)"
)
_NARRATES: Final = frozenset({"narrate", "narrate_auto", "narrate_with_otel_context"})
_PRIVATE: Final = re.compile(r"pytest_narration\.emit\.(narrator|process|sink)(\..*)?")


def findings(source: str, path: str) -> list[Finding]:
    """Return what breaks a rule in one module, in order of lines.

    :raises SyntaxError: the source is not Python of this interpreter's version.
    """
    tree = ast.parse(source, filename=path)
    visitor = _Visitor(path, Names(tree))
    visitor.visit(tree)
    return sorted(set(visitor.found))


class _Visitor(ast.NodeVisitor):
    def __init__(self, path: str, names: Names) -> None:
        self.found: list[Finding] = []
        self._path = path
        self._names = names
        self._scope: list[str] = []

    # Where we are

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if is_emitter(node.name):
            self._tell(node, "no-private-emitter", f"{node.name}() is an emitter of its own")
        for argument, default in _defaults(node.args):
            self._bound(argument, default)
        self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            if _HANDLERS.fullmatch(self._names.of(base)):
                self._tell(node, "no-log-handler", f"{node.name} is a handler of logs")
        self._inside(node)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()

    # What is imported

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._imported(node, name.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            # `from opentelemetry import trace` and `from x.emit import process` alike
            for name in node.names:
                self._imported(node, f"{node.module}.{name.name}")

    def _imported(self, node: ast.stmt, module: str) -> None:
        if module.partition(".")[0] == "opentelemetry":
            self._tell(node, "no-otel", f"{module} is imported")
        elif _PRIVATE.fullmatch(module):
            self._tell(node, "no-private-emitter", f"{module} is behind the façade")

    # What is bound

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for name in _bound_names(target):
                self._bound(name, node.value)
        if isinstance(node.value, ast.Lambda) or self._is_partial(node.value):
            for target in node.targets:
                for name in filter(is_emitter, _bound_names(target)):
                    self._tell(node, "no-private-emitter", f"{name} is an emitter of its own")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            for name in _bound_names(node.target):
                self._bound(name, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bound(node.target.id, node.value)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._bound(key.value, value)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self._bound(node.arg, node.value)
        self.generic_visit(node)

    def _bound(self, name: str, value: ast.expr) -> None:
        if not is_id(name):
            return
        how = self._handmade(value)
        if how:
            self._tell(value, "no-handmade-id", f"{name} is made by {how}")

    def _handmade(self, value: ast.expr) -> str:
        for node in ast.walk(value):
            if isinstance(node, ast.Call) and is_maker(made := self._names.of(node.func)):
                return f"{made}()"
            if isinstance(node, ast.Attribute) and is_maker(made := self._names.of(node)):
                return made  # a factory: default_factory=uuid.uuid4
            if isinstance(node, ast.Name) and is_maker(made := self._names.of(node)):
                return made
        if isinstance(value, ast.JoinedStr):
            return "an f-string"
        return ""

    def _is_partial(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self._names.of(node.func) == "functools.partial"

    # What is called

    def visit_Call(self, node: ast.Call) -> None:
        called = self._names.of(node.func)
        if _PRINTS.fullmatch(called) and _STREAMS.fullmatch(self._file(node)):
            self._tell(node, "no-print", f"{called}() prints")
            self._secrets(node, node.args, called)
        elif called == "os.write" and node.args and _is_number(node.args[0], (1, 2)):
            self._tell(node, "no-print", "os.write() prints")
        elif _HANDLERS.fullmatch(called):
            self._tell(node, "no-log-handler", f"{called.lstrip('.')}() sets up logs")
        elif called.rpartition(".")[2] in _NARRATES:
            self._narrate(node)
        elif _LOGS.fullmatch(called):
            self._secrets(node, node.args, called)
        self.generic_visit(node)

    def _file(self, node: ast.Call) -> str:
        """Return where a call prints, empty when it does not say."""
        for keyword in node.keywords:
            if keyword.arg in ("file", "stream"):
                return self._names.of(keyword.value) or "elsewhere"
        return ""

    def _narrate(self, node: ast.Call) -> None:
        if node.args and not _is_text(node.args[0]):
            self._tell(node.args[0], "literal-action", "the action is no literal")
        if len(node.args) > 1 and (how := _put_together(node.args[1])):
            self._tell(node.args[1], "literal-template", f"the template is {how}")
        self._secrets(node, (*node.args, *(k.value for k in node.keywords)), "narrate")

    def _secrets(self, node: ast.Call, words: Iterable[ast.expr], called: str) -> None:
        for word in words:
            for name in _told(word, whole=called != "narrate"):
                if is_secret(name):
                    text = f"{name} is put into the words of {called.lstrip('.')}()"
                    self._tell(word, "no-secret-in-text", text)

    def _tell(self, node: ast.expr | ast.stmt, rule: str, message: str) -> None:
        scope = ".".join(self._scope)
        place = (node.lineno, node.col_offset + 1)
        self.found.append(Finding(self._path, *place, rule, message, scope))


def _told(word: ast.expr, *, whole: bool) -> Iterator[str]:
    """Yield the names whose values end up in a text; ``whole`` takes a bare name as one."""
    if isinstance(word, ast.Constant) and isinstance(word.value, str):
        yield from _placeholders(word.value)
    elif isinstance(word, ast.JoinedStr):
        for part in word.values:
            if isinstance(part, ast.FormattedValue):
                yield from _last_names(part.value)
    elif isinstance(word, ast.BinOp) and isinstance(word.op, ast.Add | ast.Mod):
        for side in (word.left, word.right):
            yield from _told(side, whole=True)
    elif isinstance(word, ast.Tuple):
        for item in word.elts:
            yield from _told(item, whole=whole)
    elif isinstance(word, ast.Call) and _joining(word):
        for argument in (*word.args, *(keyword.value for keyword in word.keywords)):
            yield from _told(argument, whole=True)
    elif whole:
        yield from _last_names(word)


def _last_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Subscript) and _is_text(node.slice):
        assert isinstance(node.slice, ast.Constant)
        yield str(node.slice.value)
    elif isinstance(node, ast.Call) and _last(node.func) in ("str", "repr", "ascii"):
        for argument in node.args:
            yield from _last_names(argument)


def _last(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _placeholders(text: str) -> Iterator[str]:
    try:
        for _, name, _, _ in Formatter().parse(text):
            if name:
                yield re.split(r"[.\[]", name, maxsplit=1)[0]
    except ValueError:
        return  # no template


def _put_together(node: ast.expr) -> str:
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


def _bound_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return
    if isinstance(target, ast.Subscript):
        if _is_text(target.slice):
            assert isinstance(target.slice, ast.Constant)
            yield str(target.slice.value)
    else:
        yield from _last_names(target)


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    named = [*arguments.posonlyargs, *arguments.args]
    given = arguments.defaults
    pairs = zip(named[len(named) - len(given) :], given, strict=True)
    for argument, default in (
        *pairs,
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ):
        if default is not None:
            yield argument.arg, default


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_number(node: ast.expr, numbers: tuple[int, ...]) -> bool:
    return isinstance(node, ast.Constant) and node.value in numbers
