"""The source of one module -> its findings."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ._ids import defaults, handmade, header_of, pairs
from ._secrets import put_together, secrets_in
from ._targets import (
    ADDS,
    ASKED,
    CALLS,
    DEVICES,
    ENCODES,
    FACADE,
    HANDLER,
    HANDLERS,
    LOGS,
    NARRATES,
    OPENS,
    PRINTS,
    PRIVATE,
    SETS_UP,
    TAKEN,
)
from .names import Names, imported_module, text_of
from .rules import Finding
from .vocabulary import is_emitter, is_emitter_class, is_id, is_id_maker, is_secret

__all__ = ["findings"]


def findings(source: str, path: str) -> list[Finding]:
    """Return what breaks a rule in one module, in order of lines.

    :raises SyntaxError: the source is not Python of this interpreter's version.
    """
    tree = ast.parse(source, filename=path)
    visitor = _Visitor(path, tree)
    visitor.visit(tree)
    return sorted(set(visitor.found))


class _Visitor(ast.NodeVisitor):
    def __init__(self, path: str, tree: ast.Module) -> None:
        self.found: list[Finding] = []
        self._path = path
        self._names = Names(tree)
        self._scope: list[str] = []
        self._judged: set[ast.expr] = set()
        """Names whose use was judged where they are called."""
        self._own_emitters: set[str] = set()
        """Emitters that are found where they are defined."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_emitter(node.name):
                self._own_emitters.add(node.name)
        self._holders = {
            name for name, value in self._names.assigned.items() if any(secrets_in(value))
        }

    # Where we are

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if is_emitter(node.name) or (node.name == "emit" and not self._scope):
            self._tell(node, "no-private-emitter", f"{node.name}() is an emitter of its own")
        for argument, default in defaults(node.args):
            self._bound(argument, default)
        if is_id_maker(node.name):
            for returned in ast.walk(node):
                if isinstance(returned, ast.Return) and returned.value is not None:
                    self._made(f"what {node.name}() returns", returned.value)
        self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if is_emitter_class(node.name):
            self._tell(node, "no-private-emitter", f"{node.name} is an emitter of its own")
        for base in node.bases:
            if HANDLER.fullmatch(self._names.of(base)):
                self._judged.add(base)
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
        for name in node.names:
            if node.module and not node.level:
                # `from opentelemetry import trace` and `from x.emit import process` alike
                self._imported(node, f"{node.module}.{name.name}")
            if node.module != FACADE and any(map(is_emitter, (name.name, name.asname or ""))):
                known = name.asname or name.name
                self._tell(node, "no-private-emitter", f"{known}() is no emitter of the façade")

    def _imported(self, node: ast.stmt | ast.expr, module: str) -> None:
        if module.partition(".")[0] == "opentelemetry":
            self._tell(node, "no-otel", f"{module} is imported")
        elif PRIVATE.fullmatch(module):
            self._tell(node, "no-private-emitter", f"{module} is behind the façade")

    # What is bound

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for name, value in pairs(target, node.value):
                self._bound(name, value)
                if is_emitter(name) and self._is_function(value):
                    self._tell(node, "no-private-emitter", f"{name} is an emitter of its own")
            self._handlers(target)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            for name, value in pairs(node.target, node.value):
                self._bound(name, value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        for name, value in pairs(node.target, node.value):
            if is_id(name):
                self._tell(value, "no-handmade-id", f"{name} is added to")
        self._handlers(node.target)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bound(node.target.id, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        for name, value in pairs(node.target, node.iter):
            self._bound(name, value)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and (name := text_of(key)):
                self._bound(name, value)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self._bound(node.arg, node.value)
        self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        if len(node.elts) == 2:  # a header: (b"x-request-id", value)
            self._bound(header_of(node.elts[0]), node.elts[1])
        self.generic_visit(node)

    def _bound(self, name: str, value: ast.expr) -> None:
        if is_id(name):
            self._made(name, value)

    def _made(self, what: str, value: ast.expr) -> None:
        if how := handmade(value, self._names):
            self._tell(value, "no-handmade-id", f"{what} is made by {how}")

    def _is_function(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Lambda):
            return True
        if isinstance(node, ast.Call):
            return self._names.of(node.func) == "functools.partial"
        name = self._names.of(node)
        return bool(PRINTS.fullmatch(name) or LOGS.fullmatch(name)) or (
            isinstance(node, ast.Name | ast.Attribute) and is_emitter(name.rpartition(".")[2])
        )

    def _handlers(self, target: ast.expr) -> None:
        place = target.value if isinstance(target, ast.Subscript) else target
        if HANDLERS.fullmatch(name := self._names.of(place)):
            self._tell(target, "no-log-handler", f"{name.lstrip('.')} is set")

    # What is named without being called

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._handed_on(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._handed_on(node):
            self.generic_visit(node)

    def _handed_on(self, node: ast.Name | ast.Attribute) -> bool:
        """Judge a name; return whether the names in it need no judgement of their own."""
        name = self._names.of(node)
        if node in self._judged or ASKED.fullmatch(name):
            return bool(ASKED.fullmatch(name) or TAKEN.fullmatch(name))
        if TAKEN.fullmatch(name):
            self._tell(node, "no-print", f"{name} is handed on")
        elif HANDLER.fullmatch(name):
            self._tell(node, "no-log-handler", f"{name} is a handler of logs")
        elif name.removeprefix(f"{FACADE}.") in NARRATES and name.startswith(FACADE):
            text = f"{name.rpartition('.')[2]} is handed on: which actions it gets cannot be read"
            self._tell(node, "literal-action", text)
        elif isinstance(node, ast.Attribute) and PRIVATE.fullmatch(name) and "()" not in name:
            self._tell(node, "no-private-emitter", f"{name} is behind the façade")
        else:
            return False
        return True

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and DEVICES.fullmatch(node.value):
            self._tell(node, "no-print", f"{node.value} is opened")

    # What is called

    def visit_Call(self, node: ast.Call) -> None:
        called = self._names.of(node.func)
        last = called.rpartition(".")[2]
        if PRINTS.fullmatch(called):
            self._print(node, called)
        elif called in OPENS and self._descriptor(node) in (1, 2):
            self._tell(node, "no-print", f"{called}() prints")
        elif HANDLER.fullmatch(called) or SETS_UP.fullmatch(called) or ADDS.fullmatch(called):
            self._tell(node, "no-log-handler", f"{called.lstrip('.')}() sets up logs")
        elif last in NARRATES:
            self._narrate(node)
        elif last in CALLS and (last != "layer" or called.startswith(f"{FACADE}.")):
            self._fields(node, last)
        elif LOGS.fullmatch(called):
            self._log(node, called)
        elif is_emitter(last) and last not in self._own_emitters:
            self._tell(node, "no-private-emitter", f"{last}() is no emitter of the façade")
        else:
            if called.startswith("traceback.print_"):  # of a crash, which is no event
                errors = (k.value for k in node.keywords if k.arg == "file")
                self._judged |= {e for e in errors if self._names.of(e) == "sys.stderr"}
            self._imported(node, imported_module(node, called))
            for name, value in zip(node.args, node.args[1:], strict=False):
                self._bound(header_of(name), value)  # headers.setdefault("X-Request-Id", value)
            self.generic_visit(node)
            return
        self._judged.add(node.func)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call):
            words = [word for word in node.exc.args if put_together(word)]
            self._secrets(words, self._names.of(node.exc.func))
        self.generic_visit(node)

    def _print(self, node: ast.Call, called: str) -> None:
        for keyword in node.keywords:
            if keyword.arg in ("file", "stream"):
                self._judged.add(keyword.value)
                if not TAKEN.fullmatch(self._names.of(keyword.value)):
                    return  # it prints elsewhere
        self._tell(node, "no-print", f"{called}() prints")
        self._secrets(node.args, called)

    def _descriptor(self, node: ast.Call) -> object:
        named = (k.value for k in node.keywords if k.arg in ("fd", "file"))
        first = next(iter(node.args), next(named, None))
        return None if first is None else self._names.constant(first)

    def _narrate(self, node: ast.Call) -> None:
        if node.args and not _is_text(node.args[0]):
            self._tell(node.args[0], "literal-action", "the action is no literal")
        elif not node.args and node.keywords:
            self._tell(node, "literal-action", "the action is no literal: it is none of its own")
        if len(node.args) > 1 and (how := put_together(node.args[1])):
            self._tell(node.args[1], "literal-template", f"the template is {how}")
        self._fields(node, "narrate")

    def _fields(self, node: ast.Call, called: str) -> None:
        if called == "layer" and node.args and not _is_text(node.args[0]):
            self._tell(node.args[0], "literal-action", "the name of the layer is no literal")
        self._secrets(node.args, called, is_value=called == "end_job_run")
        for keyword in node.keywords:
            name = keyword.arg or ""
            if is_id(name) and text_of(keyword.value):
                self._tell(keyword.value, "no-handmade-id", f"{name} is a literal")
            self._secrets([keyword.value], called, is_value=not is_secret(name))

    def _log(self, node: ast.Call, called: str) -> None:
        inner = (part for said in node.args for part in ast.walk(said))
        is_encoded = any(
            isinstance(part, ast.Call) and ENCODES.fullmatch(self._names.of(part.func))
            for part in inner
        )
        if is_encoded or any(isinstance(said, ast.Dict) for said in node.args[:1]):
            name = called.lstrip(".")
            self._tell(node, "no-private-emitter", f"{name}() logs what is an event")
        self._secrets((*node.args, *(k.value for k in node.keywords)), called)

    def _secrets(self, words: Iterable[ast.expr], called: str, *, is_value: bool = True) -> None:
        for word in words:
            for name in secrets_in(word, is_value=is_value, holders=self._holders):
                text = f"{name} is put into the words of {called.lstrip('.')}()"
                self._tell(word, "no-secret-in-text", text)

    def _tell(self, node: ast.expr | ast.stmt, rule: str, message: str) -> None:
        scope = ".".join(self._scope)
        place = (node.lineno, node.col_offset + 1)
        self.found.append(Finding(self._path, *place, rule, message, scope))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
