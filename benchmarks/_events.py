"""The events that every logger of the comparison writes, and the texts that redaction fears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["ADVERSARIAL_SIZE", "CLEAN", "CONTEXT", "PROVENANCE", "SECRETS", "Said", "adversarial"]


class Said(NamedTuple):
    """One event, as its call site says it."""

    action: str
    template: str
    fields: dict[str, Any]

    def call_site(self, source: str, **names: object) -> Callable[[], object]:
        """Return what calls as a line of a service does: ``lambda: log(f"...", tokens_in=17)``.

        :param source: a call in which HUMAN stands for the f-string of the template, and FIELDS
            for the fields as keyword arguments.
        """
        fields = ", ".join(f"{name}={name}" for name in self.fields)
        source = source.replace("HUMAN", f"f{self.template!r}").replace("FIELDS", fields)
        names |= {"action": self.action, "template": self.template, **self.fields}
        call: Callable[[], object] = eval(f"lambda: {source}", names)
        return call


# Bound once for the process, and once for the request: 5 and 6 fields.
PROVENANCE = {
    "service": "worker",
    "emitted_by": "worker@1.4.0",
    "instance": "worker-7f9c-4242",
    "actor": "inference-backend",
    "schema_version": 1,
}
CONTEXT = {
    "correlation_id": "0192f0a0-7b1c-7abc-8def-0123456789ab",
    "job_id": "5f0c9e6d2b7a4c1e8d3f6a9b0c2e4d68",
    "parent_job_id": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "worker_id": "worker-gpu0-r1",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
}
# With level, timestamp, action, human and template, these 4 make 20.
CLEAN = Said(
    "inference_complete",
    "Inference completed ({tokens_out} tokens in {decode_time_ms} ms)",
    {"tokens_in": 17, "tokens_out": 42, "decode_time_ms": 250.5, "model_ref": "tiny-2x64"},
)
_JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0"
    ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
SECRETS = Said(
    "call",
    "Calling {url} with Authorization: Bearer {bearer}",
    {
        "url": "https://bob:hunter2@api.example.com/v1",
        "bearer": "mF_9.B5f-4.1JqM",
        "api_key": "sk-proj-4f8Zk1Qw7Lr2Xc9Vb3Nm",
        "reply": f"refused: {_JWT}",
    },
)

ADVERSARIAL_SIZE = 100_000
# What sends a careless pattern back to the start of the text again and again.
_UNITS = {
    "names without values": "password token secret api_key ",
    "names and signs": "password=",
    "open quotes": 'password="',
    "escaped quotes": '\\"token\\": \\"',
    "empty values": 'token="" ',
    "brackets": "secret: [(",
    "ampersands": "&a",
    "bearers": "Bearer x ",
    "bearers without tokens": "bearer ",
    "basics": "basic " + "a" * 50 + " ",
    "URLs without passwords": "://a:",
    "URLs with passwords": "ftp://a:b@c ",
    "at signs": "://aaaa:" + "a@" * 300,
    "halves of URLs": "://a:" * 200 + " @",
    "keys without end": "-----BEGIN PRIVATE KEY-----",
    "keys in quotes": '-----BEGIN PRIVATE KEY-----"',
    "dashes": "-",
    "options": "--password ",
    "heads of JWTs": "-eyJaaaaaaaa",
    "JWTs": f"{_JWT} ",
    "prefixes": "sk-",
    "credentials": " ghp_abcd1234",
    "AKIA": "AKIA",
    "cookies": "cookie: a=b; ",
    "headers as pairs": "'cookie',",
    "authorizations": "Authorization: ",
    "digests": 'authorization: digest a="',
    "one long word": "a",
    "digits": "0",
    "white space": " ",
    "line breaks": "a\n",
    "zero-width": "\u200b",
    "joiners": "a\u200d",
    "escape sequences": "\x1b[",
    "lone surrogates": "\ud800a",
    "two-byte letters": "é",
}
# Every way to announce a value, each of which would look for the end of the same brackets.
_NAMES = (
    "password=[ pwd=[ secret=[ token=[ api_key=[ credential=[ authorization=[ cookie=[ "
    "x-amz-signature=[ phpsessid=[ jsessionid=[ --a-token [ bearer [ "
)
# {what it repeats: (what stands once in front, what repeats)}
_RUNS = {
    "brackets without end": ("password=", "["),
    "brackets without end of many names": (_NAMES, "["),
    "brackets in brackets of many names": (_NAMES, "[]"),
    "brackets that end of many names": ("", _NAMES + "[]" * 900 + "]" * 13 + " "),
    "brackets side by side": ("password=", "(x)a"),
    "values in brackets": ("", "password=(x)y "),
}


def adversarial() -> dict[str, str]:
    """Return ``{what it repeats: text of 100,000 characters}``."""
    runs = {name: ("", unit) for name, unit in _UNITS.items()} | _RUNS
    return {
        name: (head + unit * (ADVERSARIAL_SIZE // len(unit) + 1))[:ADVERSARIAL_SIZE]
        for name, (head, unit) in runs.items()
    }
