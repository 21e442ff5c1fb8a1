"""What a scenario expects of a value: ``7``, ``"x"``, ``/re/``, ``at least 3``, ``present``.

The same words serve phrases (``… is at least 3``) and cells of tables. :class:`Expected` judges one
value and says in words what it accepts, so it goes wherever the recorder takes a matcher.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import StepMistake

__all__ = [
    "AMOUNT",
    "JSON",
    "LITERAL",
    "NUMBER",
    "REGEX",
    "STRING",
    "VALUE",
    "Expected",
    "amount",
    "cell",
    "filled",
    "json_value",
    "literal",
    "quoted",
    "regex",
    "value",
]

STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
NUMBER = r"-?\d+(?:\.\d+)?(?![\w.])"
REGEX = r"/(?:[^/\\]|\\.)+/[im]*(?!\w)"
LITERAL = rf"(?:{STRING}|{REGEX}|{NUMBER}|true|false|null)"
_COMPARED = (
    rf"(?:(?:exactly|at least|at most|more than|fewer than|less than) {NUMBER}"
    rf"|between {NUMBER} and {NUMBER})"
)
AMOUNT = rf"(?:{_COMPARED}|{NUMBER})"
_KINDS = "(?:present|absent|empty|a number|a text|a list|an object|a UUID)"
_CHOICE = rf"one of {LITERAL}(?:, {LITERAL})* or {LITERAL}"
JSON = r"(?:\[.*\]|\{.*\})"
VALUE = rf"(?:{_COMPARED}|{_CHOICE}|(?:not |containing |without )?{LITERAL}|{_KINDS}|{JSON})"

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Expected:
    """A condition on one value."""

    word: str
    """How the value relates to the operands: ``is``, ``at least``, ``one of``, ``present``, …"""
    operands: tuple[Any, ...] = ()

    def accepts(self, found: Any) -> bool:
        """Judge a value; ``None`` stands for one that is not there."""
        return _JUDGES[self.word](found, *self.operands)

    def filled(self, fill: Callable[[str], str]) -> Expected:
        """Return the condition with saved values put into its texts."""
        return Expected(self.word, tuple(filled(operand, fill) for operand in self.operands))

    def __repr__(self) -> str:
        shown = [f"/{o.pattern}/" if isinstance(o, re.Pattern) else repr(o) for o in self.operands]
        if self.word == "is":
            return shown[0]
        if self.word == "one of":
            return f"one of {', '.join(shown)}"
        return " ".join([self.word, " and ".join(shown)]).strip()


def quoted(text: str) -> str:
    r"""Return what is between quotes; ``\"``, ``\\``, ``\n``, ``\t``, ``\u00e9`` are understood."""

    def plain(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2])

    return _ESCAPE.sub(plain, text[1:-1])


def regex(text: str) -> re.Pattern[str]:
    """Return what is between slashes, compiled; ``i`` ignores case, ``m`` has many lines.

    :raises StepMistake: it is no regular expression.
    """
    expression, _, flags = text[1:].rpartition("/")
    combined = 0
    for flag in flags:
        combined |= _FLAGS[flag]
    try:
        return re.compile(expression.replace(r"\/", "/"), combined)
    except re.error as error:
        raise StepMistake(f"{text} is no regular expression: {error}") from error


def json_value(text: str) -> Any:
    """Return what JSON in a line stands for.

    :raises StepMistake: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise StepMistake(f"{text} is no JSON: {error}") from error


def filled(given: Any, fill: Callable[[str], str]) -> Any:
    """Return what a step was given, tables and conditions included, with saved values put in."""
    if isinstance(given, str):
        return fill(given)
    if isinstance(given, list):
        return [filled(item, fill) for item in given]
    if isinstance(given, dict):
        return {filled(key, fill): filled(item, fill) for key, item in given.items()}
    own = getattr(given, "filled", None)
    return own(fill) if callable(own) else given


def literal(text: str) -> Any:
    """Return what a text, a number, an expression, ``true``, ``false`` or ``null`` stands for."""
    if text[0] in "\"'":
        return quoted(text)
    if text[0] == "/":
        return regex(text)
    words = {"true": True, "false": False, "null": None}
    return words[text] if text in words else _number(text)


def value(text: str) -> Expected:
    """Return what a text of the form :data:`VALUE` expects."""
    if match := re.fullmatch(_KINDS, text):
        return Expected(match[0])
    if re.fullmatch(_COMPARED, text):
        return amount(text)
    if text[0] in "[{":
        return Expected("is", (json_value(text),))
    if text.startswith("one of "):
        return Expected("one of", tuple(map(literal, re.findall(LITERAL, text[7:]))))
    for word in ("not", "containing", "without"):
        if text.startswith(f"{word} "):
            return Expected(word, (literal(text[len(word) + 1 :]),))
    return Expected("is", (literal(text),))


def amount(text: str) -> Expected:
    """Return what a text of the form :data:`AMOUNT` expects of a number."""
    numbers = tuple(map(_number, re.findall(NUMBER, text)))
    word = text.partition(" ")[0]
    if word == "between":
        if numbers[0] > numbers[1]:
            raise StepMistake(f"{text}: the lower bound comes first")
        return Expected("between", numbers)
    words = {"exactly": "is", "fewer": "less than", "less": "less than", "more": "more than"}
    if word == "at":
        word = " ".join(text.split(" ")[:2])
    return Expected(words.get(word, word if word.startswith("at ") else "is"), numbers)


def cell(text: str) -> Expected:
    """Return what a table's cell expects: words of :func:`value`, JSON, else the text itself."""
    is_json = text[:1] in ("[", "{")
    with contextlib.suppress(StepMistake) if is_json else contextlib.nullcontext():
        if re.fullmatch(VALUE, text):
            return value(text)
    return Expected("is", (text,))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _is(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(found, str) and wanted.search(found) is not None
    # True == 1 in Python, and nobody who writes a scenario means that.
    if isinstance(found, bool) != isinstance(wanted, bool):
        return False
    return bool(found == wanted)


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return _is(found, wanted)
    if isinstance(found, str):
        return str(wanted) in found
    if isinstance(found, Iterable):
        return any(_is(item, wanted) for item in found)
    return False


def _compared(compare: Callable[[float, float], bool]) -> Callable[..., bool]:
    def judge(found: Any, bound: float) -> bool:
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return is_number and compare(found, bound)

    return judge


_JUDGES: dict[str, Callable[..., bool]] = {
    "is": _is,
    "not": lambda found, wanted: not _is(found, wanted),
    "containing": _contains,
    "without": lambda found, wanted: not _contains(found, wanted),
    "one of": lambda found, *wanted: any(_is(found, w) for w in wanted),
    "at least": _compared(lambda found, bound: found >= bound),
    "at most": _compared(lambda found, bound: found <= bound),
    "more than": _compared(lambda found, bound: found > bound),
    "less than": _compared(lambda found, bound: found < bound),
    "between": lambda found, low, high: (
        isinstance(found, int | float) and not isinstance(found, bool) and low <= found <= high
    ),
    "present": lambda found: found is not None,
    "absent": lambda found: found is None,
    "empty": lambda found: found in ("", [], {}),
    "a number": lambda found: isinstance(found, int | float) and not isinstance(found, bool),
    "a text": lambda found: isinstance(found, str),
    "a list": lambda found: isinstance(found, list | tuple),
    "an object": lambda found: isinstance(found, dict),
    "a UUID": lambda found: isinstance(found, str) and _UUID.fullmatch(found) is not None,
}
