"""A template and its values, or plain text -> pieces: what stays, what varies, which ids it names.

A story shows stable values as they are, ids under names that keep their identity, and volatile
values under the name of their field, so that two runs of one program read the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

from .redaction import ID, Redactions, is_id_text, scan

__all__ = ["Id", "Piece", "Value", "is_volatile", "kind_of", "pieces", "placeholders", "redacted"]


class Id(NamedTuple):
    """An id: shown as a name such as ``worker#1``, never by itself."""

    kind: str
    """``"job"``, ``"worker"``; ``"id"`` when only its form gave it away."""
    value: str


class Value(NamedTuple):
    """A value that is the same in every run."""

    name: str
    text: str


Piece = str | Id | Value

_VOLATILE_WORDS = frozenset(
    (
        *("ms", "us", "ns", "s", "sec", "secs", "second", "seconds", "minutes"),
        *("at", "time", "timestamp", "date", "elapsed", "duration", "latency", "uptime"),
        *("bytes", "kb", "mb", "gb", "kib", "mib", "gib", "rate", "percent"),
        *("url", "uri", "address", "addr", "port", "pid", "host", "hostname", "ip", "target"),
    )
)
"""Last words of field names whose values differ from run to run."""


class Placeholder(NamedTuple):
    """The text before a placeholder, its name (``None`` at the end), and how it is formatted."""

    literal: str
    name: str | None
    spec: str


@lru_cache(maxsize=4096)
def placeholders(template: str) -> tuple[Placeholder, ...] | None:
    """Take a template apart; ``None`` when it is no template, such as text with single braces."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError:
        return None
    return tuple(
        Placeholder(literal, None if name is None else _root(name), spec or "")
        for literal, name, spec, _ in parsed
    )


def _root(name: str) -> str:
    # `{user.name}` and `{items[0]}` walk into a field; the field itself is the one that is named.
    return name.partition("[")[0].lstrip("@$") or "value"


@lru_cache(maxsize=4096)
def is_volatile(name: str) -> bool:
    """Return whether a field's name says that its value differs from run to run."""
    words = name.lower().replace(".", "_").split("_")
    return words[-1] in _VOLATILE_WORDS or "per" in words


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str | None:
    """Return what an id field identifies: ``"job"`` of ``parent_job_id``; ``None`` of others."""
    name = name.lower().replace("-", "_")
    if name.endswith("_id"):
        return name.removesuffix("_id").removeprefix("parent_") or ID
    return "instance" if name == "instance" else None


def pieces(
    template: str | None, values: Sequence[Any], text: str, redactions: Redactions
) -> tuple[Piece, ...]:
    """Return what a story says of an event.

    :param values: of the template's placeholders, in order.
    :param text: what was said, used when there is no template.
    """
    parsed = placeholders(template) if template is not None else None
    if parsed is None:
        return redacted(_pieces_of_text(text), redactions)
    found: list[Piece] = []
    following = iter(values)
    for literal, name, spec in parsed:
        if literal:
            found.append(literal)
        if name is not None:
            found.extend(_value(name, next(following, None), spec, redactions))
    return redacted(_joined(found), redactions)


def _value(name: str, value: Any, spec: str, redactions: Redactions) -> Iterable[Piece]:
    if value is None or name in redactions.fields or is_volatile(name) or type(value) is float:
        return (f"{{{name}}}",)
    if isinstance(value, str):
        kind = kind_of(name)
        if kind is not None or is_id_text(value):
            return (Id(kind or name, value),)
        found = _pieces_of_text(value)
        # Text without anything volatile is one value, so that runs of one point collapse over it.
        return (Value(name, value),) if found == (value,) else found
    return (Value(name, _formatted(value, spec)),)


def _formatted(value: Any, spec: str) -> str:
    try:
        return format(value, spec)
    except (TypeError, ValueError):
        return str(value)


def _pieces_of_text(text: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    position = 0
    for start, stop, name in scan(text):
        if start > position:
            found.append(text[position:start])
        found.append(Id(ID, text[start:stop]) if name == ID else f"{{{name}}}")
        position = stop
    if position < len(text) or not found:
        found.append(text[position:])
    return _joined(found)


def redacted(found: tuple[Piece, ...], redactions: Redactions) -> tuple[Piece, ...]:
    """Apply a project's own patterns to what is shown as it is; one pass, whatever their order."""
    if not redactions.patterns:
        return found
    result: list[Piece] = []
    run: list[str | Value] = []
    for piece in (*found, Id("", "")):
        if not isinstance(piece, Id):
            run.append(piece)
            continue
        result.extend(_covered(run, redactions))
        run = []
        result.append(piece)
    return _joined(result[:-1])


def _covered(run: list[str | Value], redactions: Redactions) -> Iterable[Piece]:
    texts = [piece if isinstance(piece, str) else piece.text for piece in run]
    spans = redactions.spans("".join(texts))
    if not spans:
        return run
    result: list[Piece] = []
    begin = 0
    for piece, text in zip(run, texts, strict=True):
        end, position = begin + len(text), begin
        for start, stop, name in spans:
            if stop <= begin or start >= end:
                continue
            result.append(text[position - begin : max(start, begin) - begin])
            if start >= begin:
                result.append(f"{{{name}}}")
            position = min(stop, end)
        result.append(piece if position == begin else text[position - begin :])
        begin = end
    return [piece for piece in result if piece != ""]


def _joined(found: Iterable[Piece]) -> tuple[Piece, ...]:
    """Join neighbouring texts, so that equal sentences have equal pieces."""
    result: list[Piece] = []
    texts: list[str] = []
    for piece in found:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if texts:
            result.append("".join(texts))
            texts = []
        result.append(piece)
    if texts:
        result.append("".join(texts))
    return tuple(result)
