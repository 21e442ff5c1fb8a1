"""Any text or value of an event -> the same without secrets and without characters that deceive.

The emitter passes everything through here before it is encoded. Nearly every text is clean, so
one scan by a compiled matcher decides (Rust's ``regex``, linear in the text, through the
``pattern`` keyword of jsonschema-rs); only behind it are characters removed and secrets located,
by :mod:`._secrets`.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from string import Formatter

import jsonschema_rs

from ..errors import ConfigurationError
from . import _secrets
from ._secrets import MARK

__all__ = ["REDACTED", "Redactor"]

REDACTED = MARK
"""What stands in the place of a secret."""

# Format characters that show nothing and can split a word: soft hyphen, joiners, bidirectional
# controls, tags (Unicode TR36, TR39). Line breaks become a space, so that one event is one line.
_INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b\u200c\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_BREAKS = r"\n\r\x0b\x0c\x85\u2028\u2029"
# Between pictographs a joiner and a variation selector make one picture; elsewhere they hide.
_PICTURE = r"\u203c-\u3299\U0001f000-\U0001faff"
_CHARACTER_HINTS = rf"[{_INVISIBLE}{_BREAKS}\t\u200d]|[ -~][\ufe00-\ufe0f]"
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_SURROGATES = re.compile("[\ud800-\udfff]+")
_REMOVED = re.compile(f"[{_INVISIBLE}]+")
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_HAS_PICTURE = re.compile(f"[{_PICTURE}]")
_LONE_JOINER = re.compile(rf"(?<![{_PICTURE}])(?<![{_PICTURE}]\ufe0f)\u200d|\u200d(?![{_PICTURE}])")
_LONE_SELECTOR = re.compile(r"(?<=[\n -~])[\ufe00-\ufe0f]+(?!\u20e3)")

_SCALARS = (datetime.datetime, datetime.date, datetime.time, uuid.UUID, decimal.Decimal)
_MAX_DEPTH = 16
_MAX_ITEMS = 10_000
_MAX_TURNS = 4
_LEFT_OUT = "…"
_EXTRA_BOUND = 1000
_EXTRA_WORK = 5000


class Redactor:
    """Removes secrets and deceiving characters from texts and values.

    :param extra: further patterns of secrets; each match is replaced. The syntax is what Rust's
        ``regex`` and Python's ``re`` share (no look-around, no back-references), and every repeat
        says its bound, ``[a-z]{1,40}`` for ``[a-z]+``, so that no text can make matching slow.
    :raises ConfigurationError: a pattern is malformed or unbounded.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        patterns = (extra,) if isinstance(extra, str) else tuple(extra)
        self._extra = tuple(_checked(pattern) for pattern in patterns)
        others = "".join(f"|(?:{pattern})" for pattern in patterns)
        self._intricate = f"{_secrets.NAMED_HINTS}|{_CHARACTER_HINTS}{others}"
        self._suspect = _matcher(f"{_secrets.HINTS}|{_CHARACTER_HINTS}{others}")
        self.is_suspect_text: Callable[[str], bool] = self._suspect
        """:meth:`is_suspect` for text that is known to hold no lone surrogates."""
        # Names of fields come from call sites: few, and asked about in every event.
        self._is_secret_name = lru_cache(maxsize=4096)(_secrets.is_secret_name)

    def is_suspect(self, text: str) -> bool:
        """Tell whether :meth:`clean` may change this text; it never does when this says no."""
        try:
            return self._suspect(text)
        except UnicodeEncodeError:  # a lone surrogate
            return True

    def clean(self, text: str) -> str:
        """Return the text without secrets and deceiving characters; the same object when clean.

        Line breaks and tabs become spaces. ``clean(clean(text)) == clean(text)``.
        """
        try:
            if not self._suspect(text):
                return text
        except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot hold
            text = _SURROGATES.sub("\ufffd", text)
        # Apart from the first, matchers are compiled for the first text that is suspect.
        if not _matcher(self._intricate)(text):
            plain = text
            for _ in range(_MAX_TURNS):
                span = _secrets.first_unnamed(plain)
                if span is None:
                    break
                plain = f"{plain[: span[0]]}{MARK}{plain[span[1] :]}"
                if not self._suspect(plain):
                    return plain
        plain = text
        if _matcher(_CHARACTER_HINTS)(text):
            # A line break ends a value, so it becomes a space only once values are found.
            plain = self._without_secrets(_without_deceit(text)).replace("\n", " ")
            if not self._suspect(plain):
                return plain
        # Where quotes do not match, one replacement can show another value.
        for _ in range(_MAX_TURNS):
            before, plain = plain, self._without_secrets(plain)
            if plain == before:
                break
            if not self._suspect(plain):
                return plain
        return text if plain == text else plain

    def _without_secrets(self, text: str) -> str:
        spans = _secrets.find(
            text,
            named=_matcher(_secrets.NAMED_HINTS)(text),
            rare=_matcher(_secrets.RARE_HINTS)(text),
        )
        text = _replaced(text, spans)
        for pattern in self._extra:
            text = pattern.sub(MARK, text)
        return text

    def clean_value(self, key: str, value: object) -> object:
        """Return a value fit to be encoded as JSON, without secrets at any depth.

        The value of a key that names a secret becomes :data:`REDACTED` as a whole. Keys are
        cleaned too. What is nested too deeply, or too large, is left out with a mark; an object
        that JSON does not know becomes its cleaned ``repr``.
        """
        return self._clean(key, value, _MAX_DEPTH, _Budget(_MAX_ITEMS))

    def is_secret_key(self, key: str) -> bool:
        """Tell whether the value of this key is a secret: ``password``, ``X-Api-Key``, ..."""
        return self._is_secret_name(key) if len(key) <= 256 else _secrets.is_secret_name(key)

    def sensitive_placeholders(self, template: str) -> frozenset[str]:
        """Return the names of placeholders that a template shows as secrets.

        ``{"p"}`` for ``"password={p}"``: the value of the field ``p`` is a secret although its
        name does not tell.
        """
        try:
            pieces = list(Formatter().parse(template))
        except ValueError:
            return frozenset()
        filled = "".join(
            literal + (_probe(index) if name is not None else "")
            for index, (literal, name, _, _) in enumerate(pieces)
        )
        cleaned = self.clean(filled)
        return frozenset(
            re.split(r"[.\[]", name, maxsplit=1)[0]
            for index, (_, name, _, _) in enumerate(pieces)
            if name is not None and _probe(index) not in cleaned
        )

    def _clean(self, key: str, value: object, depth: int, budget: _Budget) -> object:
        if value is None or value is True or value is False:
            return value
        if key and self.is_secret_key(key):
            return MARK if value != "" else value
        kind = type(value)
        if kind is str:
            return self.clean(value)  # type: ignore[arg-type]  # kind is checked, mypy cannot see it
        if kind is int or kind is float or isinstance(value, _SCALARS):
            return value
        if depth == 0 or not budget.take():
            return _LEFT_OUT
        try:
            return self._clean_container(value, depth - 1, budget)
        except Exception:  # iteration, repr and keys of foreign objects may raise anything
            return f"<{kind.__name__}>"

    def _clean_container(self, value: object, depth: int, budget: _Budget) -> object:
        if isinstance(value, Mapping):
            cleaned: dict[str, object] = {}
            for name, item in value.items():
                if not budget.take():
                    break
                name = name if type(name) is str else str(name)
                cleaned[self.clean(name)] = self._clean(name, item, depth, budget)
            return cleaned
        if isinstance(value, tuple) and len(value) == 2 and self._names_secret(value[0]):
            # A header as frameworks hold it: (b"authorization", b"Bearer …").
            return [self._clean("", value[0], depth, budget), MARK]
        if isinstance(value, list | tuple | set | frozenset):
            items: list[object] = []
            for item in value:
                if not budget.take():
                    break
                items.append(self._clean("", item, depth, budget))
            return items
        if isinstance(value, enum.Enum):
            return self._clean("", value.value, depth, budget)
        if isinstance(value, str):
            return self.clean(str.__str__(value))
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, bytes | bytearray):
            return self.clean(bytes(value).decode("utf-8", "replace"))
        return self.clean(repr(value))

    def _names_secret(self, name: object) -> bool:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        return isinstance(name, str) and self.is_secret_key(name)


class _Budget:
    """How many more items a value may have: a list that holds itself twice has endlessly many."""

    __slots__ = ("_left",)

    def __init__(self, items: int) -> None:
        self._left = items

    def take(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _without_deceit(text: str) -> str:
    """Remove what does not show; line breaks stay, as LF: they end bare values."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    text = _REMOVED.sub("", text)
    text = _BREAK.sub("\n", text).replace("\t", " ")
    if not text.isascii():
        if "\u200d" in text:
            has_picture = _HAS_PICTURE.search(text) is not None
            text = _LONE_JOINER.sub("", text) if has_picture else text.replace("\u200d", "")
        text = _LONE_SELECTOR.sub("", text)
    return text


def _replaced(text: str, spans: list[_secrets.Span]) -> str:
    if not spans:
        return text
    if len(spans) == 1:
        [(start, end)] = spans
        return text[:start] + MARK + text[end:]
    parts: list[str] = []
    done = 0
    for start, end in spans:
        parts.append(text[done:start])
        done = end
    parts.append(text[done:])
    return MARK.join(parts)


def _probe(index: int) -> str:
    # Long and mixed enough to be taken for a credential wherever one is expected.
    return f"Zq7xProbe{index:03d}Kw9vR2tB5nM8"


# This cache takes no lock, which the child of a fork could inherit locked.
@lru_cache(maxsize=64)
def _matcher(pattern: str) -> Callable[[object], bool]:
    schema = {"type": "string", "pattern": pattern}
    return jsonschema_rs.validator_for(
        schema, pattern_options=jsonschema_rs.RegexOptions(size_limit=1 << 24)
    ).is_valid


def _checked(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for Python once Rust takes it too and its work is bounded."""
    try:
        _matcher(f"(?:{pattern})")
        compiled = re.compile(pattern, re.ASCII)
    except (ValueError, jsonschema_rs.ValidationError, re.error, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"redact pattern {pattern!r} is not a regex that both Rust's regex and Python's re "
            f"take (no look-around, no back-references): {reason}"
        ) from error
    for text in ("", MARK):
        if compiled.search(text):
            raise ConfigurationError(f"redact pattern {pattern!r} matches {text!r}")
    work = _work(pattern)
    if work > _EXTRA_WORK:
        raise ConfigurationError(
            f"redact pattern {pattern!r} may try {work:.0f} ways at one place, more than "
            f"{_EXTRA_WORK}: bound its repeats closer"
        )
    return compiled


_REPEAT = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[*+?]|\{(\d+)(?:,(\d*))?\}|.", re.DOTALL)


def _work(pattern: str) -> float:
    """Return how many ways the repeats of a pattern can match at one place, at most."""
    work = 1.0
    for match in _REPEAT.finditer(pattern):
        if match[0] in ("*", "+") or match[2] == "":
            raise ConfigurationError(
                f"redact pattern {pattern!r} repeats without a bound at {match.start()} "
                f"({match[0]}): write {{0,{_EXTRA_BOUND // 5}}} or {{1,{_EXTRA_BOUND // 5}}}"
            )
        if match[1] is not None and match[2] is not None:
            work *= max(1, int(match[2]) - int(match[1]) + 1)
    return work
