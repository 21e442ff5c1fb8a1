r"""The shapes of secrets: a sanitised text -> the spans to replace in it.

Used only by :mod:`pytest_narration.emit.redaction`, behind its compiled pre-filter, which uses
:data:`HINTS`: they match every text in which :func:`find` finds a span, and few others.

Cost is linear in the text whatever its content: an anchor is found by ``str.find``, a pattern is
*matched* at that place only, every repeat in front of a value is bounded, a value is a possessive
run of characters with nothing to match behind it, and after :data:`MOST` secrets, or
:data:`MOST_BRACKETS` in their values, the rest of a text counts as one.
``benchmarks/emit.py`` measures adversarial texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

__all__ = [
    "HINTS",
    "MARK",
    "MOST",
    "MOST_BRACKETS",
    "NAMED_HINTS",
    "RARE_HINTS",
    "Span",
    "find",
    "first_unnamed",
    "is_secret_name",
]

MARK = "[REDACTED]"
MOST = 2000
"""How many secrets are told apart in one text."""
MOST_BRACKETS = 8000
"""How many brackets are paired in the values of one text."""

Span = tuple[int, int]

_KEY_KINDS = "api|access|account|auth|encryption|master|private|secret|shared|signing"
_NAME = (
    rf"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credentials?|(?:{_KEY_KINDS})[-_. ]?key"
    r"|authori[sz]ation|cookie|x-amz-signature|jsessionid|phpsessid)[0-9]{0,2}"
)
# What may stand between a name and its value: quotes, also of JSON that is itself in a string
# ({\"token\": \"…\"}), of a Python repr, of XML (<password>…), of a query string.
_CLOSE = r"""[\\"'\])]{0,20}\s{0,8}"""
_ASSIGN = r"""(?>:=|=>|==?|:|>(?![<\s"'\\])|%3[ad])"""
_ASSIGN_HINT = r"(?::=|=>|==?|[:>]|%3[ad])"
# A header as frameworks hold it: (b'cookie', b'…').
_PAIR = r"""\\{0,15}["']\s{0,8},(?=\s{0,8}b?\\{0,15}["'])"""
_PAIR_HINT = r"""\\{0,15}["']\s{0,8},"""
_SPACE = r"(?:\s{1,8}|%20|\+)"

_NAME_AT_END = re.compile(rf"{_NAME}\Z")
_KINDS = tuple(_KEY_KINDS.split("|"))
# A language model's tokens are no secrets.
_OF_MODELS = (
    *("bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop"),
    *("next", "prev", "first", "last", "per", "each", "special"),
)

# Stands where a value would and tells nothing: the mark, a template's placeholder, stars, and
# words of prose ("token expired").
_MARKED = r"""\[redacted\](?=[\s"'\\&;,.)\]}<>]|\Z)"""
_NOTHING = (
    r"(?:\{[\w.!:\[\]]{0,64}\}|%s|%\(\w{1,64}\)s|\*{3,64}"
    r"|(?:none|null|nil|undefined|unset|true|false|required|missing|invalid|expired|empty|not|no"
    r"|is|was|field|must|cannot|denied|failed|accepted|granted|rejected|unknown|absent))"
)
_HARMLESS = rf"""(?:\\{{0,15}}{_MARKED}|{_NOTHING}(?=[\s"'\\&;,.)\]}}<>]|\Z))"""
# Between the quotes that end one string and begin the next stand signs only.
_SIGNS = r"""[\s,:;{}()\[\]\\"']{1,8}"""
_HARMLESS_QUOTED = (
    rf"""(?:[\s\\"']{{0,16}}(?:(?:bearer|basic|digest|token)\s)?{_MARKED}"""
    rf"""|(?:{_NOTHING}|{_SIGNS})(?:\\{{0,15}}["']|\Z))"""
)
# A bare value ends at white space, at a quote, and at punctuation that visibly leads on to
# something else: "&" and the next name, ")" and more punctuation, "\n" of encoded text.
_BARE = (
    r"""(?:[^\s"'\\&;,)\]}<>]++|[&;,](?![\w.-]{0,40}+[=:]|\[redacted\]|[\s"'\\]|\Z)"""
    r"""|[)\]}>](?![\s"'\\&;,.)\]}<>]|\Z)|<(?!/)|\\(?![nrtbfu"'\\\s]|\Z))++"""
)
# What begins with a bracket takes more than a pattern; the group stays empty.
_BRACKETED = r"(?=[\[({])()"
# Cookies are many: a=b; c=d.
_CRUMBS = r"""[^\s"'\\]++(?:(?<=;)\s{1,4}[^\s"'\\]++)*+"""
# A value that starts with a bracket goes on behind it.
_MORE = re.compile(_BARE).match
_MORE_CRUMBS = re.compile(rf"""(?:{_BARE})?+(?:;\s{{0,4}}[^\s"'\\;]++)*+""").match
# After a scheme: the parameters of Digest and AWS4 too, name="value", name=value.
_SCHEME = r"(?:basic|digest|negotiate|ntlm|token|apikey|hawk|aws4-hmac-sha256)"
_PARAMETERS = (
    r"""(?:(?<==)"[^"]{0,512}+"?)?(?:\s{0,4}[,;]\s{0,4}[\w-]{1,40}="""
    r"""(?:"[^"]{0,512}+"?|[^\s",']{0,512}+))*+"""
)
# What follows "Bearer" is found without its header too, so it is left to _BEARER.
_CREDENTIAL = (
    rf"(?!bearer{_SPACE}|{_SCHEME}{_SPACE}{_HARMLESS})(?:{_SCHEME}{_SPACE})?+"
    rf"(?:{_BRACKETED}|((?:(?:[a-z][\w-]{{0,32}}+)\s{{1,8}})?{_BARE}{_PARAMETERS}))"
)


def _value(bare: str, lead: str = r"\s{0,8}+") -> str:
    """Return a pattern for the value behind an assignment; its last group is the value.

    An empty group is a value that takes more than a pattern: :func:`_intricate_end`.
    """
    return (
        rf"{lead}(?:[bru]{{0,2}}(?:"
        rf"""["](?!{_HARMLESS_QUOTED})((?:[^"\\]++|\\.)*+)"""
        rf"""|['](?!{_HARMLESS_QUOTED})((?:[^'\\]++|\\.)*+)"""
        rf"""|\\{{1,15}}["'](?!{_HARMLESS_QUOTED})())"""
        rf"|(?!{_HARMLESS}|[bru]{{0,2}}\\{{0,15}}[\"'])(?:{_BRACKETED}|{bare}))"
    )


_Match = Callable[[str, int], re.Match[str] | None]
_LookBack = Callable[[str, int], bool]


# A pattern with a value takes milliseconds to compile, and most processes meet few names or none.
@cache
def _match_of(pattern: str) -> _Match:
    """Return what matches, compiled when first needed."""
    return re.compile(pattern, re.DOTALL).match


def _assigned(name: str, bare: str = f"({_BARE})", *, pair: bool = False) -> str:
    paired = f"|{_PAIR}" if pair else ""
    return rf"{name}[0-9]{{0,2}}(?:{_CLOSE}{_ASSIGN}{paired}){_value(bare)}"


def _is_kind_of_key(low: str, at: int) -> bool:
    return low[max(0, at - 12) : at].rstrip("-_. ").endswith(_KINDS)


def _is_no_model_token(low: str, at: int) -> bool:
    return not low[max(0, at - 9) : at].rstrip("-_ ").endswith(_OF_MODELS)


# What to find, the pattern to match there, what must stand before it.
_ASSIGNMENTS: tuple[tuple[str, str, _LookBack | None], ...] = (
    ("pass", _assigned("pass(?:word|wd|phrase|code)"), None),
    ("pwd", _assigned("pwd"), None),
    ("secret", _assigned("secret"), None),
    ("token", _assigned("token"), _is_no_model_token),
    ("key", _assigned("key", pair=True), _is_kind_of_key),
    ("credential", _assigned("credentials?"), None),
    ("authori", _assigned("authori[sz]ation", _CREDENTIAL, pair=True), None),
    ("cookie", _assigned("cookie", f"({_CRUMBS})", pair=True), None),
    ("x-amz-sig", _assigned("x-amz-signature"), None),
    ("sessi", _assigned("sessi(?:onid|d)"), lambda low, at: low[max(0, at - 3) : at] == "php"),
    ("jsessionid", _assigned("jsessionid"), None),
)

_BEARER = (
    rf"bearer(?:{_SPACE}|\s?[:=])(?!(?:tokens?|auth|authentication|authori[sz]ation|of|is|was|and"
    r"|or|the|an?|realm|error|scheme|headers?|credentials?|type|format|access|but|in|for|to|with"
    rf"|from|only|if|as|on|by|bonds?)(?![\w-])){_value(f'({_BARE})')}"
)
# "Basic" is an ordinary word; what follows must look like base64.
_BASIC = re.compile(
    rf"(?i:basic){_SPACE}(?=[A-Za-z/]{{1,40}}[A-Z0-9+=]|[0-9+/])([A-Za-z0-9+/_-]{{6,}}+=*+)"
).match
_OPTION_START = re.compile("--[a-z]")
_OPTION = rf"--([a-z][\w-]{{0,60}}+)(?:\s{{1,8}}(?![-=:<>&;,)\]}}|])|{_PAIR}\s{{0,8}})" + _value(
    f"({_BARE})", lead=""
)
_PEM = re.compile(r"-----begin [a-z0-9 ]{0,40}private key(?: block)?-----").match
_PEM_END = re.compile(rf"-----end [a-z0-9 ]{{0,40}}-{{0,5}}(?:{_BARE})?").match
_QUOTE = re.compile(r"""["']""")
_BRACKET = re.compile(r"[\[\](){}]")
# user:password@, or a long token alone. A password may hold "@" itself: the last one before the
# path counts. "host:8080/path@x" has a port; a placeholder or the mark hides nothing.
_URL = re.compile(
    r"""://(?:[^\s/@:"'<>]{0,256}+:"""
    r"""(?![0-9]{1,5}/|(?:\[(?i:redacted)\]|\{[\w.!:\[\]]{0,64}\}|\*{3,64})@)"""
    r"""([^\s"'<>@]{1,256}+(?:@[^\s"'<>@/]{1,256}+(?=@))*+)@"""
    r"""|((?=[A-Za-z_.-]{0,64}[0-9])[\w.-]{20,256}+)@)"""
).match

_WORD = "A-Za-z0-9_-"
# {prefix: (what a credential goes on with, at least how much of it)}. A prefix that cannot be
# anything else needs little, so that a credential that was cut is found too.
_COMMON = {
    "sk-": (_WORD, 16),
    "AKIA": ("A-Z0-9", 8),
    "ghp_": ("A-Za-z0-9", 4),
    # A JWS or JWE; base64url of '{"' begins with eyJ (RFC 7515).
    "eyJ": ("." + _WORD, 6),
}
_RARE = {
    "ASIA": ("A-Z0-9", 8),
    "gho_": ("A-Za-z0-9", 4),
    "ghu_": ("A-Za-z0-9", 4),
    "ghs_": ("A-Za-z0-9", 4),
    "ghr_": ("A-Za-z0-9", 4),
    "github_pat_": ("A-Za-z0-9_", 4),
    "glpat-": (_WORD, 4),
    "xox": (_WORD, 8),
    "xapp-": (_WORD, 8),
    "AIza": (_WORD, 8),
    "ya29.": (_WORD, 8),
    "sk_live_": ("A-Za-z0-9", 4),
    "sk_test_": ("A-Za-z0-9", 4),
    "rk_live_": ("A-Za-z0-9", 4),
    "whsec_": ("A-Za-z0-9+/=", 4),
    "npm_": ("A-Za-z0-9", 16),
    "pypi-": (_WORD, 16),
    "hf_": ("A-Za-z0-9", 16),
    "hvs.": (_WORD, 16),
    "nvapi-": (_WORD, 16),
    "gsk_": ("A-Za-z0-9", 16),
    "dckr_pat_": ("A-Za-z0-9_", 4),
}
# In front of a credential ends a word, or a letter's escape: \n, \u000a, %3D of encoded text.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
_START_HINT = r"(?:^|[^A-Za-z0-9]|\\[nrtbf]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
_has_variety = re.compile(r"[A-Z0-9]").search
_has_slack_kind = re.compile(r"xox[a-z]-").match

_Check = Callable[[str, int, int], object]
_CHECKS: dict[str, _Check] = {
    # Words go on like this too, "sk-learn-…"; a credential has a digit or a capital.
    "sk-": lambda text, at, end: _has_variety(text, at + 3, end),
    "pypi-": lambda text, at, end: _has_variety(text, at + 5, end),
    "eyJ": lambda text, at, end: end == len(text) or text.find(".", at, end) > 0,
    "xox": lambda text, at, end: _has_slack_kind(text, at),
}
_Credential = tuple[str, int, _Match, _Check | None]


def _credentials(table: dict[str, tuple[str, int]]) -> tuple[_Credential, ...]:
    return tuple(
        (
            prefix,
            len(prefix) + least,
            re.compile(f"{_START}{re.escape(prefix)}[{rest}]*+").match,
            _CHECKS.get(prefix),
        )
        for prefix, (rest, least) in table.items()
    )


def _credential_hints(table: dict[str, tuple[str, int]]) -> str:
    return "|".join(
        (_START_HINT if prefix == "sk-" else "")
        + prefix.replace(".", r"\.")
        + f"[{rest}]{{{least}}}"
        for prefix, (rest, least) in table.items()
    )


_COMMON_CREDENTIALS = _credentials(_COMMON)
_RARE_CREDENTIALS = _credentials(_RARE)


def _unless(texts: Iterable[str], first: str, behind: str) -> str:
    """Return a Rust regex, which has no look-ahead, for the start of a value that is no mark.

    :param texts: what the value does not begin with.
    :param first: the class of characters that a value begins with, apart from those texts.
    :param behind: the class of characters that go on with a value behind those texts.
    """
    starts: dict[str, list[str]] = {}
    for text in texts:
        if not text:
            return behind
        starts.setdefault(text[0], []).append(text[1:])
    letters = "".join(rf"\x{ord(letter):02x}" for letter in starts)
    ways = [
        rf"\x{ord(letter):02x}" + _unless(rests, "", behind) for letter, rests in starts.items()
    ]
    others = [first.replace("^", "^" + letters, 1)] if first else [f"[^{letters}]", "$"]
    return f"(?:{'|'.join((*ways, *others))})"


_SKIPPED = r"""[\s"'\\]*"""
_BEGINS, _BEHIND = r"""[^\s"'\\]""", r"""[^\s"'\\&;,.)\]}<>]"""
_GIVEN = _SKIPPED + _unless([MARK], _BEGINS, _BEHIND)
_GIVEN_CREDENTIAL = _SKIPPED + _unless(
    [MARK, *(f"{scheme} {MARK}" for scheme in ("bearer", "basic", "digest", "token"))],
    _BEGINS,
    _BEHIND,
)
_SECRET_HINT = _NAME.replace("|authori[sz]ation", "")
NAMED_HINTS = (
    rf"(?i:(?:{_SECRET_HINT}{_CLOSE}{_ASSIGN_HINT}|(?:cookie|key)[0-9]{{0,2}}{_PAIR_HINT}"
    rf"|--[\w-]*{_NAME}(?:\s|{_PAIR_HINT})|bearer(?:{_SPACE}|\s?[:=])){_GIVEN}"
    rf"|authori[sz]ation[0-9]{{0,2}}(?:{_CLOSE}{_ASSIGN_HINT}|{_PAIR_HINT}){_GIVEN_CREDENTIAL}"
    rf"|basic{_SPACE}[A-Za-z0-9+/_-]{{6}}|-----begin [a-z0-9 ]{{0,40}}private key)"
)
"""Rust regex: matches every text in which a name, ``password=``, announces a secret."""
_URL_HINTS = (
    r"""://(?:[^\s/@:"'<>]{0,256}:"""
    + _unless([MARK], r"""[^\s@"'<>]""", r"""[^\s@"'<>]""")
    + r"""[^\s@"'<>]{0,256}@|[\w.-]{20,256}@)"""
)
_COMMON_HINTS = rf"(?:{_credential_hints(_COMMON)})"
RARE_HINTS = rf"(?:{_credential_hints(_RARE)})"
HINTS = f"{NAMED_HINTS}|{_URL_HINTS}|{_COMMON_HINTS}|{RARE_HINTS}"


def is_secret_name(name: str) -> bool:
    """Tell whether the value of this key, header, option or variable is a secret."""
    name = _lower(name)
    match = _NAME_AT_END.search(name)
    if match is None:
        return False
    return not match[0].startswith("token") or _is_no_model_token(name, match.start())


def find(text: str, *, named: bool, rare: bool) -> list[Span]:
    """Return ``[(start, end), ...]`` of the secrets in a text, in order, without overlaps.

    :param named: whether something may name a secret: :data:`NAMED_HINTS` match.
    :param rare: whether a credential may begin in a rare way: :data:`RARE_HINTS` match.
    """
    spans = _Spans(len(text))
    if named:
        _add_named(text, spans)
    if "://" in text:
        _add_urls(text, spans)
    _add_credentials(text, _COMMON_CREDENTIALS, spans)
    if rare:
        _add_credentials(text, _RARE_CREDENTIALS, spans)
    return _merged(spans) if len(spans) > 1 else spans


def first_unnamed(text: str) -> Span | None:
    """Return a secret that nothing names: a URL's password or a credential that is common.

    Cheaper than :func:`find`, and for most texts all there is; it need not be the leftmost.
    """
    at = text.find("://")
    if at >= 0:
        match = _URL(text, at)
        if match is not None:
            return match.span(match.lastindex or 0)
    for prefix, least, match_at, check in _COMMON_CREDENTIALS:
        if prefix in text:  # half of what a call of find costs
            at = text.find(prefix)
            match = match_at(text, at)
            if match is not None:
                end = match.end()
                if end - at >= least and (check is None or check(text, at, end)):
                    return at, end
    return None


class _Spans(list[Span]):
    """What was found, and how often something was worth a closer look.

    :param length: of the text.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.limit = length
        """Where a span begins that goes on to the end: what stands behind it is found already."""
        self._length = length
        self._tries = 0
        self._brackets = 0

    def add(self, start: int, end: int) -> None:
        """Add a secret."""
        self.append((start, end))
        if end == self._length:
            self.limit = min(self.limit, start)

    def is_full(self, at: int) -> bool:
        """Count one more secret at this place; past the last, all that follows is one."""
        self._tries += 1
        if self._tries <= MOST:
            return False
        self.add(at, self._length)
        return True

    def bracket_end(self, low: str, at: int) -> int:
        """Return where the bracket ends that begins here; past the last, that is the text's end."""
        depth = 0
        for match in _BRACKET.finditer(low, at):
            self._brackets += 1
            if self._brackets > MOST_BRACKETS:
                break
            depth += 1 if match[0] in "[({" else -1
            if depth == 0:
                return match.end()
        return self._length


def _lower(text: str) -> str:
    low = text.lower()
    # U+0130 alone becomes two characters; places must stay the same.
    return low if len(low) == len(text) else text.replace("\u0130", "i").lower()


def _add_named(text: str, spans: _Spans) -> None:
    low = _lower(text)
    for needle, assigned, look_back in _ASSIGNMENTS:
        if needle in low:
            more = _MORE_CRUMBS if needle == "cookie" else _MORE
            _add_values(low, needle, _match_of(assigned), look_back, more, spans)
    if "bearer" in low:
        _add_values(low, "bearer", _match_of(_BEARER), None, _MORE, spans)
    if "--" in low:
        _add_options(low, spans)
        if "-----begin" in low:
            _add_private_keys(low, spans)
    if "basic" in low:
        _add_basic(text, low, spans)


def _add_options(low: str, spans: _Spans) -> None:
    go_on = 0
    for option in _OPTION_START.finditer(low):
        at = option.start()
        if at >= spans.limit:
            return
        match = _match_of(_OPTION)(low, at) if at >= go_on else None
        if match is not None and is_secret_name(match[1]):
            if spans.is_full(at):
                return
            go_on = _add_value(low, match, _MORE, spans)


def _add_values(
    low: str,
    needle: str,
    match_at: _Match,
    look_back: _LookBack | None,
    more: _Match,
    spans: _Spans,
) -> None:
    """Add each value that is assigned to a name that the needle stands for."""
    at = low.find(needle, 0, spans.limit)
    while at >= 0:
        go_on = at + len(needle)
        match = match_at(low, at)
        if match is not None and (look_back is None or look_back(low, at)):
            if spans.is_full(at):
                return
            go_on = max(go_on, _add_value(low, match, more, spans))
        at = low.find(needle, go_on, spans.limit)


def _add_value(low: str, match: re.Match[str], more: _Match, spans: _Spans) -> int:
    """Add the value that the match ends with; return from where to look on.

    :param more: what a value in brackets goes on with.
    """
    start, end = match.span(match.lastindex or 0)
    if start == end:
        if low[start - 1] in "\"'":
            end = _quoted_end(low, start)
        else:
            end = _bracketed_end(low, start, more, spans)
    if end > start:
        spans.add(start, end)
    # A name at the end of this value may have its own value behind it.
    return end - 64


def _quoted_end(low: str, at: int) -> int:
    """Return where a value ends that is in quotes which are escaped themselves."""
    quote = low[at - 1]
    before = low[max(0, at - 16) : at - 1]
    level = len(before) - len(before.rstrip("\\"))
    if level == 0:  # an empty value between quotes
        return at
    end = low.find(quote, at)
    while end >= 0:
        before = low[max(at, end - 64) : end]
        slashes = len(before) - len(before.rstrip("\\"))
        # JSON in a string doubles each backslash, and every deeper level doubles again.
        if slashes < level or slashes % (2 * level + 2) == level:
            return end - min(slashes, level)
        end = low.find(quote, end + 1)
    return len(low)


def _bracketed_end(low: str, at: int, more: _Match, spans: _Spans) -> int:
    """Return where a value ends that begins with brackets: ``[a, b]``, ``(a)(b)c``."""
    while low[at : at + 1] in ("[", "(", "{"):
        at = spans.bracket_end(low, at)
    rest = more(low, at)
    return rest.end() if rest else at


def _add_basic(text: str, low: str, spans: _Spans) -> None:
    at = low.find("basic")
    while at >= 0:
        go_on = at + 5
        match = _BASIC(text, at)
        if match:
            if spans.is_full(at):
                return
            spans.add(*match.span(1))
            go_on = match.end()
        at = low.find("basic", go_on)


def _add_urls(text: str, spans: _Spans) -> None:
    """Add the password of each ``scheme://user:password@host``."""
    at = text.find("://")
    last = text.rfind("@")
    while 0 <= at < last:
        go_on = at + 3
        match = _URL(text, at)
        if match is not None:
            if spans.is_full(at):
                return
            spans.add(*match.span(match.lastindex or 0))
            go_on = match.end()
        at = text.find("://", go_on)


def _add_private_keys(low: str, spans: _Spans) -> None:
    at = low.find("-----begin")
    while at >= 0:
        go_on = at + 10
        match = _PEM(low, at)
        if match:
            if spans.is_full(at):
                return
            # Without its end the key goes on to the end of the text, or of the quoted value.
            quote = _QUOTE.search(low, match.end())
            limit = quote.start() if quote else len(low)
            end = low.find("-----end ", match.end(), limit)
            marker = _PEM_END(low, end) if end >= 0 else None
            go_on = marker.end() if marker else limit
            spans.add(at, go_on)
        at = low.find("-----begin", go_on)


def _add_credentials(text: str, table: tuple[_Credential, ...], spans: _Spans) -> None:
    for prefix, least, match_at, check in table:
        at = text.find(prefix)
        while at >= 0:
            match = match_at(text, at)
            if match is None:
                end = at + len(prefix)
            else:
                end = match.end()
                if end - at >= least and (check is None or check(text, at, end)):
                    if spans.is_full(at):
                        return
                    spans.add(at, end)
            at = text.find(prefix, end)


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
