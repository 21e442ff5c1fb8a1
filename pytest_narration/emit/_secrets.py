"""The shapes of secrets: a sanitised text -> the spans to replace in it.

Used only by :mod:`pytest_narration.emit.redaction`, and only behind its compiled pre-filter
(:data:`HINTS`), which finds a match in every text in which :func:`find` finds a span.

Cost is linear in the text whatever its content: an anchor is found by ``str.find``, a pattern is
*matched* at that place only, every repeat in front of a value is bounded, and a value is a run of
characters with nothing to match behind it, so nothing is read more than a few times. Adversarial
texts are measured by ``benchmarks/emit.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["HINTS", "MARK", "PREFIX_HINTS", "Span", "find", "is_secret_name"]

MARK = "[REDACTED]"
Span = tuple[int, int]

_KEY_KINDS = "api|access|account|auth|encryption|master|private|secret|shared|signing"
_NAME = (
    rf"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credentials?|(?:{_KEY_KINDS})[-_. ]?key"
    r"|authori[sz]ation|cookie|x-amz-signature|jsessionid|phpsessid)\d{0,2}"
)
# What may stand between a name and its value: quotes, also of JSON that is itself in a string
# ({\"token\": \"…\"}), of a Python repr, of XML (<password>…), of a query string.
_CLOSE = r"""[\\"'\])]{0,20}\s{0,8}"""
_ASSIGN = r"(?::=|=>|==?|[:>]|%3[ad])"
_OPEN = r"""\s{0,8}(?:[bru]{0,2}(\\{0,15}["']))?"""
# Headers as frameworks hold them: (b'cookie', b'…').
_PAIR = r"""\\{0,15}["']\s{0,8},"""
_SPACE = r"(?:\s{1,8}|%20|\+)"

_NAME_AT_END = re.compile(rf"{_NAME}\Z")
_KEY_KIND_AT_END = re.compile(rf"(?:{_KEY_KINDS})[-_. ]?\Z")
# A language model's tokens are no secrets.
_MODEL_AT_END = re.compile(
    r"(?:bos|eos|pad|unk|sep|cls|mask|stop|next|prev|first|last|per|each|special)[-_ ]?\Z"
)
_OPTION_AT_END = re.compile(r"--[\w-]{0,40}\Z")

# Stands where a value would and tells nothing: the mark, a template's placeholder, stars, and
# words of prose ("token expired"). The first form is for bare values, the second inside quotes.
_TELLS_NOTHING = (
    r"(?:\[redacted\]|\{[\w.!:\[\]]{0,64}\}|%s|%\(\w{1,64}\)s|\*{3,}"
    r"|(?:none|null|nil|undefined|unset|true|false|required|missing|invalid|expired|empty|not|no"
    r"|is|was|field|must|cannot|denied|failed|accepted|granted|rejected|unknown|absent))"
)
_HARMLESS = re.compile(_TELLS_NOTHING + r"""(?=[\s"'\\&;,.)\]}<>\x00]|\Z)""")
_HARMLESS_QUOTED = re.compile(_TELLS_NOTHING + r"""(?=\\{0,15}["']|\Z)""")

# A bare value ends at white space, at a quote, and at punctuation that visibly leads on to
# something else: "&" and the next name, ")" and more punctuation, "\n" of encoded text.
_BARE = re.compile(
    r"""(?:[^\s"'\\&;,)\]}<>]|[&;,](?!(?=([\w.-]{0,40}))\1[=:]|[\s"'\\]|\Z)"""
    r"""|[)\]}>](?![\s"'\\&;,.)\]}<>]|\Z)|<(?!/)|\\(?![nrtbfu"'\\]|\Z))+"""
)
_BRACKET = re.compile(r"[\[\](){}]")
_BRACKETS = ("[", "{", "(")
_UNESCAPED = {
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL),
    "'": re.compile(r"[^'\\]*(?:\\.[^'\\]*)*", re.DOTALL),
}
_SCHEME = re.compile(
    rf"(?:(bearer|basic|digest|negotiate|ntlm|token|apikey|hawk|aws4-hmac-sha256)|[a-z][\w-]{{0,32}})"
    rf"{_SPACE}(?=[^\s=:,;])"
)
# The parameters of Digest and AWS4: name="value", name=value, ...
_PARAMETERS = re.compile(
    r"""(?:"[^"]{0,512}"?)?(?:\s{0,4}[,;]\s{0,4}[\w-]{1,40}=(?:"[^"]{0,512}"?|[^\s",;']{0,512}))*"""
)
_CRUMBS = re.compile(r"""[^\s"'\\]+(?:(?<=;)\s{1,4}[^\s"'\\]+)*""")
_BEARER = re.compile(
    rf"bearer(?:{_SPACE}|\s?[:=]\s?)(?!(?:tokens?|auth\w{{0,20}}|of|is|was|and|or|the|an?|realm"
    r"|error|scheme|headers?|credentials?|type|format|access|but|in|for|to|with|from|only|if|as|on"
    rf"|by|bonds?)(?![\w-])){_OPEN}"
)
_BASIC = re.compile(
    rf"(?i:basic){_SPACE}(?=[A-Za-z/]{{1,40}}[A-Z0-9+=]|[0-9+/])([A-Za-z0-9+/_-]{{6,}}=*)"
)
_PEM = re.compile(r"-----begin [a-z0-9 ]{0,40}private key(?: block)?-----")
_PEM_END = re.compile(r"-----end [a-z0-9 ]{0,40}-{0,5}")
_QUOTE = re.compile(r"""["']""")
_USER_END = re.compile(r"""[\s"'<>@]""")
_MORE_USER = re.compile(r"""[^\s"'<>@/]{1,256}@""")
_USER_IS_TOKEN = re.compile(r"(?=[a-z_.-]{0,64}\d)[\w.-]{20,}")
# "host:8080/path@x" has a port, not a password; a placeholder or the mark hides nothing.
_NO_PASSWORD = re.compile(r"\d{1,5}/|\[redacted\]@|\{[\w.!:\[\]]{0,64}\}@|\*{3,}@")

# {prefix: what follows it in a credential}; one that cannot be anything else needs little, so
# that a credential that was cut is found too.
_PREFIXED = {
    "sk-": r"(?=[a-z_-]{0,64}[A-Z0-9])[A-Za-z0-9_-]{16,}",
    "sk_live_": r"[A-Za-z0-9]{4,}",
    "sk_test_": r"[A-Za-z0-9]{4,}",
    "rk_live_": r"[A-Za-z0-9]{4,}",
    "whsec_": r"[A-Za-z0-9+/=]{4,}",
    "AKIA": r"[A-Z0-9]{8,}",
    "ASIA": r"[A-Z0-9]{8,}",
    "ghp_": r"[A-Za-z0-9]{4,}",
    "gho_": r"[A-Za-z0-9]{4,}",
    "ghu_": r"[A-Za-z0-9]{4,}",
    "ghs_": r"[A-Za-z0-9]{4,}",
    "ghr_": r"[A-Za-z0-9]{4,}",
    "github_pat_": r"[A-Za-z0-9_]{4,}",
    "glpat-": r"[A-Za-z0-9_-]{4,}",
    "xox": r"[a-z]-[A-Za-z0-9-]{4,}",
    "xapp-": r"[A-Za-z0-9-]{8,}",
    "AIza": r"[A-Za-z0-9_-]{8,}",
    "ya29.": r"[A-Za-z0-9_-]{8,}",
    "npm_": r"[A-Za-z0-9]{16,}",
    "pypi-": r"(?=[a-z_-]{0,64}[A-Z0-9])[A-Za-z0-9_-]{16,}",
    "hf_": r"[A-Za-z0-9]{16,}",
    "hvs.": r"[A-Za-z0-9_-]{16,}",
    "nvapi-": r"[A-Za-z0-9_-]{16,}",
    "gsk_": r"[A-Za-z0-9]{16,}",
    "dckr_pat_": r"[A-Za-z0-9_-]{4,}",
    "eyJ": r"[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*",
}
_CREDENTIALS = tuple(
    (prefix, re.compile(re.escape(prefix) + rest)) for prefix, rest in _PREFIXED.items()
)
# Encoded text in front of a credential ends in letters too: \n, \u000a, %3D.
_ESCAPE_AT_END = re.compile(r"(?:\\[nrtbf]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})\Z")

_RUST_REST = {
    "eyJ": r"[A-Za-z0-9_-]{8}",
    "sk-": r"[A-Za-z0-9_-]{16}",
    "pypi-": r"[A-Za-z0-9_-]{16}",
}
PREFIX_HINTS = (
    r"(?:"
    + "|".join(
        prefix.replace(".", r"\.") + _RUST_REST.get(prefix, rest.replace(",}", "}"))
        for prefix, rest in _PREFIXED.items()
        if prefix != "sk-"
    )
    + r"|(?:^|[^A-Za-z]|\\[nrtbf]|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4})sk-[A-Za-z0-9_-]{16})"
)
"""Rust regex: matches every text with a credential that its prefix gives away."""

HINTS = (
    rf"(?i:{_NAME}{_CLOSE}{_ASSIGN}|(?:authori[sz]ation|cookie|key){_PAIR}"
    rf"|--[\w-]{{0,40}}{_NAME}\s|bearer(?:{_SPACE}|\s?[:=])|basic{_SPACE}[A-Za-z0-9+/_-]{{6}}"
    r"|-----begin [a-z0-9 ]{0,40}private key)"
    rf"|://[^\s/@:<>]{{0,256}}[:@]|{PREFIX_HINTS}"
)
"""Rust regex: matches every text in which :func:`find` finds something, and few others."""


def is_secret_name(name: str) -> bool:
    """Tell whether the value of this key, header, option or variable is a secret."""
    name = _lower(name)
    match = _NAME_AT_END.search(name)
    if match is None:
        return False
    return not (match[0].startswith("token") and _MODEL_AT_END.search(name[: match.start()]))


def find(text: str, *, prefixed: bool = True) -> list[Span]:
    """Return ``[(start, end), ...]`` of the secrets in a text, in order, without overlaps.

    :param prefixed: whether to look for credentials known by their prefix.
    """
    spans: list[Span] = []
    low = _lower(text)
    for needle, head, look_back in _ASSIGNMENTS:
        at = low.find(needle)
        while at >= 0:
            at = _assignment(low, at, needle, head, look_back, spans)
    if "bearer" in low:
        _add_bearer(low, spans)
    if "basic" in low:
        _add_basic(text, low, spans)
    if "://" in low and "@" in low:
        _add_urls(low, spans)
    if "-----begin" in low:
        _add_private_keys(low, spans)
    if prefixed:
        _add_prefixed(text, spans)
    return _merged(spans) if len(spans) > 1 else spans


def _lower(text: str) -> str:
    low = text.lower()
    # U+0130 alone becomes two characters; places must stay the same.
    return low if len(low) == len(text) else text.replace("\u0130", "i").lower()


def _is_key(low: str, at: int) -> bool:
    return _KEY_KIND_AT_END.search(low[max(0, at - 12) : at]) is not None


def _is_no_model_token(low: str, at: int) -> bool:
    return _MODEL_AT_END.search(low[max(0, at - 9) : at]) is None


def _head(name: str, *, pair: bool = False) -> re.Pattern[str]:
    paired = _PAIR if pair else "(?!)"
    return re.compile(
        rf"{name}\d{{0,2}}(?:{_CLOSE}{_ASSIGN}|(?P<pair>{paired})|(?P<option>\s)){_OPEN}"
    )


_LookBack = Callable[[str, int], bool]
# What to find, the pattern to match there, what must stand before it.
_ASSIGNMENTS: tuple[tuple[str, re.Pattern[str], _LookBack | None], ...] = (
    ("pass", _head("pass(?:word|wd|phrase|code)"), None),
    ("pwd", _head("pwd"), None),
    ("secret", _head("secret"), None),
    ("token", _head("token"), _is_no_model_token),
    ("key", _head("key", pair=True), _is_key),
    ("credential", _head("credentials?"), None),
    ("authori", _head("authori[sz]ation", pair=True), None),
    ("cookie", _head("cookie", pair=True), None),
    ("x-amz-sig", _head("x-amz-signature"), None),
    ("sessid", _head("sessid"), lambda low, at: low[max(0, at - 3) : at] == "php"),
    ("jsessionid", _head("jsessionid"), None),
)


def _assignment(
    low: str,
    at: int,
    needle: str,
    head: re.Pattern[str],
    look_back: _LookBack | None,
    spans: list[Span],
) -> int:
    """Add the value that is assigned to the name at ``at``; return the needle's next place."""
    go_on = at + len(needle)
    match = head.match(low, at)
    if match is not None and (look_back is None or look_back(low, at)):
        pair, option, quote = match.groups()
        if (pair is None or quote) and (
            option is None or _OPTION_AT_END.search(low[max(0, at - 42) : at])
        ):
            span = _value(low, match.end(), quote, needle)
            if span is not None:
                spans.append(span)
                # A name at the end of this value may have its own value behind it.
                go_on = max(go_on, span[1] - 64)
    return low.find(needle, go_on)


def _value(low: str, at: int, quote: str | None, needle: str) -> Span | None:
    if quote:
        end = at if _HARMLESS_QUOTED.match(low, at) else _quote_end(low, at, quote)
    elif _HARMLESS.match(low, at):
        end = at
    elif low[at : at + 1] in _BRACKETS:
        end = _bracket_end(low, at)
    elif needle == "authori":
        return _authorization(low, at)
    else:
        pattern = _CRUMBS if needle == "cookie" else _BARE
        match = pattern.match(low, at)
        end = match.end() if match else at
    return (at, end) if end > at else None


def _authorization(low: str, at: int) -> Span | None:
    start = at
    scheme = _SCHEME.match(low, at)
    if scheme:
        at = scheme.end()
        if scheme[1]:
            start = at
            if _HARMLESS.match(low, at):
                return None
    match = _BARE.match(low, at)
    if match is None:
        return None
    parameters = _PARAMETERS.match(low, match.end())
    return (start, parameters.end() if parameters else match.end())


def _quote_end(low: str, at: int, quote: str) -> int:
    """Return where the value ends that ``quote`` opened: a quote behind n backslashes."""
    level = len(quote) - 1
    if level == 0:
        match = _UNESCAPED[quote].match(low, at)
        return match.end() if match else at
    end = low.find(quote[-1], at)
    while end >= 0:
        before = low[max(at, end - 64) : end]
        slashes = len(before) - len(before.rstrip("\\"))
        # JSON in a string doubles each backslash, and every deeper level doubles again.
        if slashes < level or slashes % (2 * level + 2) == level:
            return end - min(slashes, level)
        end = low.find(quote[-1], end + 1)
    return len(low)


def _bracket_end(low: str, at: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(low, at):
        depth += 1 if match[0] in "[({" else -1
        if depth == 0:
            return match.end()
    return len(low)


def _add_bearer(low: str, spans: list[Span]) -> None:
    at = low.find("bearer")
    while at >= 0:
        go_on = at + 6
        match = _BEARER.match(low, at)
        span = _value(low, match.end(), match[1], "bearer") if match else None
        if span is not None:
            spans.append(span)
            go_on = max(go_on, span[1] - 64)
        at = low.find("bearer", go_on)


def _add_basic(text: str, low: str, spans: list[Span]) -> None:
    at = low.find("basic")
    while at >= 0:
        go_on = at + 5
        match = _BASIC.match(text, at)
        if match:
            spans.append((match.start(1), match.end()))
            go_on = match.end()
        at = low.find("basic", go_on)


def _add_urls(low: str, spans: list[Span]) -> None:
    at = low.find("://")
    stop = -1
    while at >= 0:
        user = at + 3
        if stop < user:
            match = _USER_END.search(low, user)
            if match is None:
                return
            stop = match.start()
        go_on = user
        if low[stop] == "@":
            end = stop
            # A password may hold "@" itself: the last one before the path counts.
            while more := _MORE_USER.match(low, end + 1):
                end = more.end() - 1
            start = low.find(":", user, end) + 1
            if start == 0:
                start = user if _USER_IS_TOKEN.match(low, user, end) else end
            if start < end and "/" not in low[user:start] and not _NO_PASSWORD.match(low, start):
                spans.append((start, end))
                go_on = end
            stop = -1 if go_on >= stop else stop
        at = low.find("://", go_on)


def _add_private_keys(low: str, spans: list[Span]) -> None:
    at = low.find("-----begin")
    while at >= 0:
        go_on = at + 10
        match = _PEM.match(low, at)
        if match:
            quote = _QUOTE.search(low, match.end())
            limit = quote.start() if quote else len(low)
            end = low.find("-----end", match.end(), limit)
            if end >= 0:
                marker = _PEM_END.match(low, end)
                limit = marker.end() if marker else end + 8
                rest = _BARE.match(low, limit)
                limit = rest.end() if rest else limit
            spans.append((at, limit))
            go_on = limit
        at = low.find("-----begin", go_on)


def _add_prefixed(text: str, spans: list[Span]) -> None:
    for prefix, pattern in _CREDENTIALS:
        at = text.find(prefix)
        while at >= 0:
            go_on = at + len(prefix)
            match = pattern.match(text, at)
            if match:
                go_on = match.end()
                if _begins_word(text, at) and (
                    prefix != "eyJ" or "." in match[0] or go_on == len(text)
                ):
                    spans.append((at, go_on))
            at = text.find(prefix, go_on)


def _begins_word(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    if not (before.isascii() and before.isalnum()):
        return True
    return _ESCAPE_AT_END.search(text[max(0, at - 6) : at]) is not None


def _merged(spans: list[Span]) -> list[Span]:
    spans.sort()
    merged = [spans[0]]
    for start, end in spans[1:]:
        last_start, last_end = merged[-1]
        if start > last_end:
            merged.append((start, end))
        elif end > last_end:
            merged[-1] = (last_start, end)
    return merged
