"""Promises of redaction: no secret survives, nothing else changes, and it does so only once."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.emit import _secrets
from pytest_narration.emit.redaction import REDACTED, Redactor
from pytest_narration.errors import ConfigurationError

DATA = Path(__file__).parent.parent / "data" / "redaction"
CASES = [json.loads(line) for line in (DATA / "secrets.jsonl").read_text("utf-8").splitlines()]
HARMLESS = (DATA / "harmless.txt").read_text("utf-8").splitlines()

redactor = Redactor()
clean = redactor.clean


def found(text: str) -> list[tuple[int, int]]:
    return _secrets.find(text, named=True, rare=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["text"][:40]))
def test_a_known_secret_is_removed_and_its_neighbours_stay(case: dict[str, Any]) -> None:
    cleaned = clean(case["text"])
    assert REDACTED in cleaned
    for secret in case["secrets"]:
        assert secret not in cleaned
    for neighbour in case.get("keeps", ()):
        assert neighbour in cleaned


@pytest.mark.parametrize("text", HARMLESS, ids=ascii)
def test_ordinary_text_is_returned_as_the_same_object(text: str) -> None:
    assert clean(text) is text


@pytest.mark.parametrize(
    "text", [t for t in HARMLESS if "token" in t and "oken=" not in t and "token:" not in t.lower()]
)
def test_talk_of_tokens_is_settled_by_the_first_scan(text: str) -> None:
    """Narration of a language model says "token" all the time; it must not cost a closer look."""
    if "{" not in text and "[" not in text and "Bearer" not in text:
        assert not redactor.is_suspect(text)


@pytest.mark.parametrize("text", [case["text"] for case in CASES], ids=lambda t: ascii(t[:40]))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) is once


# Secrets that a generator makes, each with contexts that do not restrict it.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
values = st.text(LETTERS + "-_.~+/!$%^*@#", min_size=6, max_size=40).map(lambda v: "Z9" + v)
words = st.text(LETTERS, min_size=20, max_size=40).map(lambda v: "Z9" + v)
named = st.builds(
    lambda template, value: (template.replace("@@", value), value),
    st.sampled_from(
        [
            "password=@@",
            "PASSWORD : @@",
            '"password": "@@"',
            "'client_secret': '@@'",
            '\\"api_key\\":\\"@@\\"',
            '\\\\\\"api_key\\\\\\": \\\\\\"@@\\\\\\"',
            "access_token=@@&x=1",
            "Authorization: Bearer @@",
            "authorization: @@",
            "'authorization': 'Token @@'",
            "X-Api-Key: @@",
            "Cookie: a=1; sid=@@",
            "--password @@",
            "<secret>@@</secret>",
            "Bearer @@",
            "(b'authorization', b'Bearer @@')",
        ]
    ),
    values,
)
shaped = st.builds(
    lambda prefix, word: (prefix + word, word),
    st.sampled_from([p for p in (*_secrets._COMMON, *_secrets._RARE) if p not in ("eyJ", "xox")]),
    words.map(lambda w: w.upper()),
)
special = st.one_of(
    st.builds(lambda w: (f"eyJ{w}.eyJ{w}.{w}", w), words),
    st.builds(lambda w: (f"xoxb-{w}", w), words),
    st.builds(
        lambda w: (f"-----BEGIN RSA PRIVATE KEY-----\n{w}\n-----END RSA PRIVATE KEY-----", w), words
    ),
    st.builds(
        lambda w: (f"https://bob:{w}@example.com/", w),
        st.text(LETTERS + "-_.~+!$%^*", min_size=6, max_size=40).map(lambda v: "Z9" + v),
    ),
)
secrets = st.one_of(named, shaped, special)
prose = st.text(
    st.characters(exclude_characters="\\\"'", exclude_categories=["Cs"]), max_size=30
).map(lambda text: f" {text} ")


@settings(deadline=None, max_examples=300)
@given(prose, secrets, st.text(max_size=30).map(lambda text: f" {text}"))
def test_a_planted_secret_never_survives(before: str, secret: tuple[str, str], after: str) -> None:
    text, value = secret
    assert value not in clean(before + text + after)


@settings(deadline=None, max_examples=150)
@given(secrets, st.data())
def test_invisible_characters_do_not_hide_a_secret(
    secret: tuple[str, str], data: st.DataObject
) -> None:
    text, value = secret
    for _ in range(3):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at] + data.draw(st.sampled_from("\u200b\u200d\u2060\ufeff\u00ad\x00")) + text[at:]
        )
    assert value not in clean(text)


@settings(deadline=None, max_examples=150)
@given(st.lists(secrets, min_size=1, max_size=5), st.sampled_from(["encoded", "raw"]))
def test_secrets_in_encoded_text_are_found_and_the_text_still_decodes(
    several: list[tuple[str, str]], how: str
) -> None:
    texts = [text for text, _ in several]
    encoded = json.dumps({"fields": texts, "n": 1}, ensure_ascii=how == "encoded")
    cleaned = clean(encoded)
    for _, value in several:
        assert value not in cleaned
    assert json.loads(cleaned)["n"] == 1


fragments = st.sampled_from(
    [
        "password", "=", ":", " ", '"', "'", "\\", "token", "secret", "[REDACTED]", "[", "]", "{",
        "}", "&", ";", ",", "x", "A1", "://", "@", "/", "Bearer ", "Basic ", "Authorization: ",
        "cookie: ", "eyJabcdefgh", ".", "sk-abcdefgh1234567890", "ghp_abcd1234", "\n", "\u200b",
        "\u200d", "\ufe0f", "❤", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "--",
        "\\n", "\x1b[31m", "\ud800", "İ", "<", ">", "%3D", "api_key", "abcdefgh", "none", "key",
        "digest ", ">", "a=b", "\t", "\u2028", "\r\n", "5", "*", "{x}",
    ]
)  # fmt: skip
soup = st.lists(fragments, max_size=14).map("".join)


@settings(deadline=None, max_examples=1500)
@given(soup)
def test_cleaning_is_idempotent(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@settings(deadline=None, max_examples=1500)
@given(soup)
def test_the_first_scan_misses_nothing(text: str) -> None:
    """What the compiled matcher lets pass holds no secret that the closer look would find."""
    if not redactor.is_suspect(text):
        assert found(text) == []


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec="utf-8"), max_size=60) | soup)
def test_clean_text_can_be_encoded_and_deceives_nobody(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    for deceiving in "\n\r\t\x00\x1b\x7f\x85\u200b\u200e\u202e\u2028\u2060\u2066\ufeff\u00ad":
        assert deceiving not in cleaned


@settings(deadline=None, max_examples=200)
@given(st.text(LETTERS + " .,!?()-äöü東京", max_size=80))
def test_text_without_signs_is_left_alone(text: str) -> None:
    lowered = text.lower()
    if not any(word in lowered for word in ("bearer", "basic", "sk-", "eyj", "aiza", "akia")):
        assert clean(text) is text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines", "two lines"),
        ("two\r\nlines", "two lines"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("a\tb", "a b"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00\x07\x7f\x9fb", "ab"),
        ("a\u200b\u200c\u200d\u2060\ufeff\u00adb", "ab"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("x\u2066y\u2069\u200e", "xy"),
        ("pay\ufe0fpal", "paypal"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
    ],
)
def test_characters_that_deceive_are_removed(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize("text", ["👩‍👩‍👧", "❤️", "🏳️‍🌈", "1️⃣", "👍🏽"])
def test_emoji_stay_whole(text: str) -> None:
    assert clean(text) is text


def test_a_text_of_nothing_but_secrets_is_bounded() -> None:
    """Past so many secrets, the rest of the text counts as one."""
    text = "password=hunter2 " * (_secrets.MOST + 100)
    cleaned = clean(text)
    assert "hunter2" not in cleaned
    assert cleaned.count(REDACTED) == _secrets.MOST + 1
    assert clean(cleaned) == cleaned


NAMES = (
    "password=[ pwd=[ secret=[ token=[ api_key=[ credential=[ authorization=[ cookie=[ "
    "x-amz-signature=[ phpsessid=[ jsessionid=[ --a-token [ bearer [ "
)


class Counting:
    """A regular expression that counts its matches."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.count = 0

    def finditer(self, *args: Any) -> Iterator[re.Match[str]]:
        for match in self.pattern.finditer(*args):
            self.count += 1
            yield match


@pytest.mark.parametrize(
    "text",
    [
        "password=" + "[" * 99_000,
        NAMES + "[" * 99_000,
        NAMES + "[]" * 49_000,
        (NAMES + "[]" * 900 + "]" * 13 + " ") * 50,
        "password=" + "(x)" * 33_000,
    ],
    ids=["one name", "many names", "pairs", "pairs that end", "side by side"],
)
def test_brackets_are_paired_so_often_and_what_follows_is_secret(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every name would look for the end of the same brackets."""
    brackets = Counting(_secrets._BRACKET)
    monkeypatch.setattr(_secrets, "_BRACKET", brackets)
    spans = found(text + "hunter2")
    assert spans[-1][1] == len(text) + 7
    assert brackets.count <= _secrets.MOST_BRACKETS + 20
    cleaned = clean(text + "hunter2")
    assert "hunter2" not in cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=(x)Tr0ub4dor", "password=@"),
        ("password={abc}def9 next", "password=@ next"),
        ("password=[abc]def9, user=bob", "password=@, user=bob"),
        ("password=(a b)(c d)e", "password=@"),
        ("password={a}{b}", "password=@"),
        ("Authorization: Bearer {x}Real", "Authorization: Bearer @"),
        ("Authorization: Token [a b]Real", "Authorization: Token @"),
        ("Authorization: {x}Real", "Authorization: @"),
        ("password=[REDACTED]hunter2", "password=@"),
        ("password=[REDACTED][REDACTED]", "password=@"),
        ("--password [x]hunter2 --host db", "--password @ --host db"),
        ("cookie: [a]b; c=hunter2 end", "cookie: @ end"),
        ("{'cookie': ['a', 'b'], 'x': 1}", "{'cookie': @, 'x': 1}"),
        ('{"secret":["a"],"x":1}', '{"secret":@,"x":1}'),
        ("f(password=(a)).go()", "f(password=@).go()"),
        ("<secret>[x]y</secret>", "<secret>@</secret>"),
        ("password={p}, user={user}", "password={p}, user={user}"),
        ("Authorization: Bearer {token}.", "Authorization: Bearer {token}."),
        ("password=[REDACTED].", "password=[REDACTED]."),
    ],
)
def test_a_value_in_brackets_goes_on_to_where_a_bare_value_ends(text: str, expected: str) -> None:
    cleaned = clean(text)
    assert cleaned == expected.replace("@", REDACTED)
    assert clean(cleaned) is cleaned


@pytest.mark.parametrize(
    "key",
    [
        "password", "PASSWORD", "db_password", "dbPassword", "password2", "passwd", "passphrase",
        "secret", "client_secret", "token", "access_token", "X-Auth-Token", "api_key", "apiKey",
        "X-Api-Key", "private_key", "aws_secret_access_key", "authorization",
        "Proxy-Authorization", "cookie", "Set-Cookie", "credentials",
    ],
)  # fmt: skip
def test_the_value_of_a_secret_key_is_redacted_whatever_it_is(key: str) -> None:
    assert redactor.is_secret_key(key)
    for value in ("x", 12345, 1.5, b"x", ["x"], {"a": "x"}, object()):
        assert redactor.clean_value(key, value) == REDACTED
    for value in (None, True, False, ""):
        assert redactor.clean_value(key, value) == value


@pytest.mark.parametrize(
    "key",
    ["tokens", "tokens_in", "max_tokens", "token_count", "tokenizer", "eos_token", "first_token",
     "secretary", "keyboard", "primary_key", "key", "passed", "author", "cookies_accepted", ""],
)  # fmt: skip
def test_other_keys_hold_no_secrets(key: str) -> None:
    assert not redactor.is_secret_key(key)
    assert redactor.clean_value(key, "x") == "x"


class Colour(enum.Enum):
    RED = "password=hunter2"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


@dataclasses.dataclass
class Login:
    user: str
    password: str


def test_values_are_cleaned_at_any_depth_and_keys_too() -> None:
    value = {
        "headers": {"Authorization": "Bearer abc", "Host": "x"},
        "list": ["password=hunter2", ("api_key=k-1",), {"token": "t"}],
        "Bearer abc123": 1,
        7: "seven",
        "pairs": [(b"authorization", b"Bearer abc"), (b"host", b"x")],
    }
    assert redactor.clean_value("request", value) == {
        "headers": {"Authorization": REDACTED, "Host": "x"},
        "list": [f"password={REDACTED}", [f"api_key={REDACTED}"], {"token": REDACTED}],
        f"Bearer {REDACTED}": 1,
        "7": "seven",
        "pairs": [["authorization", REDACTED], ["host", "x"]],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (1.5, 1.5),
        (None, None),
        (True, True),
        (Colour.RED, f"password={REDACTED}"),
        (Text("password=hunter2"), f"password={REDACTED}"),
        (Number(3), 3),
        (b"password=hunter2", f"password={REDACTED}"),
        (b"\xff", "\ufffd"),
        (Login("bob", "hunter2"), f"Login(user='bob', password='{REDACTED}')"),
        (ValueError("password=hunter2"), f"ValueError('password={REDACTED}')"),
        ({"a"}, ["a"]),
    ],
)
def test_a_value_becomes_what_json_can_hold(value: object, expected: object) -> None:
    assert redactor.clean_value("value", value) == expected


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        datetime.date(2026, 1, 2),
        uuid.UUID(int=5),
        decimal.Decimal("1.5"),
    ],
)
def test_scalars_that_the_encoder_knows_stay(value: object) -> None:
    assert redactor.clean_value("value", value) is value


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class HostileMapping(dict[str, object]):
    def items(self) -> Any:
        raise RuntimeError("no")


def test_objects_that_raise_are_named_instead() -> None:
    assert redactor.clean_value("value", Hostile()) == "<Hostile>"
    assert redactor.clean_value("value", [HostileMapping()]) == ["<HostileMapping>"]


def test_a_value_that_holds_itself_is_cut() -> None:
    endless: list[Any] = ["x"]
    endless += [endless, endless]
    cleaned = redactor.clean_value("value", endless)
    assert len(json.dumps(cleaned)) < 1_000_000
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert json.dumps(redactor.clean_value("value", deep)).count("[") <= 17


def test_further_patterns_are_redacted() -> None:
    ours = Redactor([r"cust-[0-9]{4,12}", r"(?i)internal\s{1,3}\w{1,20}"])
    assert ours.clean("for cust-123456 only") == f"for {REDACTED} only"
    assert ours.clean("INTERNAL code") == REDACTED
    assert ours.clean("password=x") == f"password={REDACTED}"
    untouched = "customer 5"
    assert ours.clean(untouched) is untouched


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[a-z", "not a regex"),
        (r"(?<=x)y", "not a regex"),
        (r"(a)\1", "not a regex"),
        ("(?P<é", "not a regex"),
        ("a+", "without a bound"),
        ("[a-z]*x", "without a bound"),
        ("a{2,}", "without a bound"),
        ("(a{1,100}){1,100}b", "ways"),
        ("x{0,3}", "matches ''"),
        ("REDACT", "matches '.REDACTED.'"),
    ],
)
def test_a_pattern_that_could_be_slow_or_is_malformed_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Redactor([pattern])


@pytest.mark.parametrize("pattern", [r"a\+b", "[*+]x", r"\{5,\}", "a?b", "x{3}"])
def test_signs_that_do_not_repeat_are_no_repeats(pattern: str) -> None:
    Redactor([pattern])


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("Authorization: Bearer {x}", {"x"}),
        ("password={p}", {"p"}),
        ("password={p} for {user}", {"p"}),
        ("postgres://{user}:{p}@{host}/{db}", {"p"}),
        ("Cookie: sid={request.sid}", {"request"}),
        ("sk-{rest} and {other}", {"rest"}),
        ("secret: {value!r:>10}", {"value"}),
        ("password={p}-{q} for {user}", {"p", "q"}),
        ("token=[{kind}]{value}", {"kind", "value"}),
        ("Generated {tokens_out} tokens", set()),
        ("Starting {worker_id} at {target}", set()),
        ("{", set()),
        ("", set()),
    ],
)
def test_placeholders_that_a_template_shows_as_secrets_are_named(
    template: str, names: set[str]
) -> None:
    assert redactor.sensitive_placeholders(template) == names
