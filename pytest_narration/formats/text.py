"""Text for people in the very form of one logger: klog, glog, env_logger, Ruby's Logger, Monolog, …

A line is of this format when its head is one that only this logger writes: a level alone proves
nothing, and other text stays text. What is behind the message as ``key=value`` or as a JSON object
becomes fields where the logger writes such.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat
from .levels import level_of
from .logfmt import pairs
from .loose_json import read_json

__all__ = ["Text"]

_TIME = r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d\.\d{3})"
_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)"
_MESSAGE = r"(?P<message>\S.*)"
_FORMS = [
    re.compile(form, re.DOTALL)
    for form in (
        # klog and glog: "E0501 10:00:00.123456   12 main.go:7] order failed"
        r"(?P<level>[IWEF])(?:\d{4}|(?P<date>\d{8})) (?P<clock>\d\d:\d\d:\d\d\.\d{6}) {1,8}"
        rf"\d{{1,10}} (?P<caller>[^\s:\]]{{1,200}}:\d{{1,6}})\] {_MESSAGE}",
        # Ruby's Logger: "E, [2024-05-01T10:00:00.123456 #12] ERROR -- shop: order failed"
        rf"[DIWEFA], \[{_TIME} #\d{{1,10}}\] {{1,4}}(?P<level>[A-Z]{{3,7}}) -- "
        rf"(?P<logger>[^\s:]{{0,128}}): {_MESSAGE}",
        # Rust's env_logger: "[2024-05-01T10:00:00Z ERROR shop::orders] order failed"
        rf"\[{_TIME} {_LEVEL} {{1,3}}(?P<logger>[\w:.-]{{1,200}})\] {_MESSAGE}",
        # PHP's Monolog and Laravel: "[2024-05-01 10:00:00] app.ERROR: order failed {…} []"
        rf"\[{_TIME}\] (?P<logger>[\w-]{{1,80}})\.(?P<level>[A-Z]{{4,9}}): {_MESSAGE}",
        # Spring Boot: "2024-05-01T10:00:00.123Z ERROR 12 --- [shop] [main] c.a.Orders : failed"
        rf"{_TIME} {{1,4}}{_LEVEL} \d{{1,10}} --- (?:\[[^\]]{{0,128}}\] ){{1,3}}"
        rf"(?P<logger>\S{{1,200}}) {{1,64}}: {_MESSAGE}",
        # logback without a configuration: "10:00:00.123 [main] ERROR c.a.Orders -- order failed"
        rf"(?:{_CLOCK}|{_TIME}) \[[^\]]{{1,128}}\] {_LEVEL} {{1,4}}(?P<logger>\S{{1,200}}) --? "
        rf"{_MESSAGE}",
        # Python: "2024-05-01 10:00:00,123 - shop - ERROR - failed", "ERROR:shop:failed"
        rf"{_TIME} - (?P<logger>[\w.-]{{1,200}}) - {_LEVEL} - {_MESSAGE}",
        r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>[A-Za-z_][\w.]{0,200}):"
        r"(?P<message>(?!\s*\{).+)",
        # pino-pretty: "[10:00:00.123] ERROR (shop/12): order failed"
        rf"\[(?:{_CLOCK}|{_TIME})\] (?P<level>[A-Z]{{4,8}}) \([^()]{{1,128}}\): {_MESSAGE}",
        # AWS Lambda for Node: time, request id, level and message between tabs
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\t(?P<request_id>[0-9a-f-]{36})\t"
        rf"(?P<level>[A-Z]{{4,5}})\t{_MESSAGE}",
        # NestJS: "[Nest] 12  - 05/01/2024, 10:00:00 AM     LOG [NestFactory] Starting"
        r"\[\w{1,40}\] \d{1,10} {1,4}- [\d/., :APMapm\u202f]{10,30} {1,8}(?P<level>[A-Z]{3,7}) "
        rf"\[(?P<logger>[^\]]{{1,128}})\] {_MESSAGE}",
        # .NET: "info: Shop.Orders[14] order received", the message often in the next line
        rf"(?:{_TIME} )?(?P<level>trce|dbug|info|warn|fail|crit): "
        r"(?P<logger>[A-Za-z_][\w.]{0,200})\[-?\d{1,9}\](?:\s+(?P<message>\S.*))?$",
        # Elixir: "10:00:00.123 request_id=r-1 [error] order failed"
        rf"{_CLOCK} (?P<pairs>(?:[\w.]{{1,60}}=\S{{0,200}} ){{0,20}})\[(?P<level>[a-z]{{4,9}})\] "
        rf"{_MESSAGE}",
        # logrus on a terminal: "WARN[0003] order received      request_id=r-1"
        rf"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d{{4,8}}\] {{0,2}}(?P<tail>){_MESSAGE}",
    )
]
_BEGINNINGS = frozenset("IWEFDA[0123456789CNtdifwcTPU")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?: (?P<pairs>[A-Za-z].*))?$', re.DOTALL)
# A look-behind, so that a long run of blanks is tried once.
_FIRST_PAIR = re.compile(r"(?<=\S)\s+(?=[A-Za-z_][\w.@/-]{0,80}=)")
_OBJECT = re.compile(r"\s(?=\{)")
_EMPTY = (" []", " {}")
_MOST_TRIED = 16
"""Places at which a message's objects may begin: a message may be full of braces."""


class Text(JsonFormat):
    """``I0501 10:00:00.123456 1 main.go:7] "order received" job="j-1"`` and its kin."""

    name: ClassVar[str] = "text"
    is_json: ClassVar[bool] = False
    shape: ClassVar[Shape] = Shape(
        human=("message",), level=("level",), timestamp=("time",), actor=("logger",)
    )

    def parse(self, text: str) -> dict[str, Any] | None:
        text = text.strip()
        if text[:1] not in _BEGINNINGS:
            return None
        for form in _FORMS:
            if (found := form.match(text)) and level_of(found["level"]) is not None:
                return _record(found.groupdict())
        return None

    def score(self, record: dict[str, Any]) -> int:
        return 80 if "level" in record and "message" in record else 0


def _record(found: dict[str, str | None]) -> dict[str, Any]:
    said: dict[str, Any] = {name: value for name, value in found.items() if value}
    message, said["message"] = said.pop("message", "").rstrip(), ""
    if quoted := _QUOTED.match(message):  # klog's structured calls
        message, fields = quoted[1].replace('\\"', '"'), _pairs(quoted["pairs"])
    elif "pairs" in said or "tail" in found:
        message, fields = _tail(message, said.pop("pairs", None))
    else:
        message, fields = _objects(message)
    if date := said.pop("date", None):
        said["time"] = f"{date[:4]}-{date[4:6]}-{date[6:]} {said.pop('clock')}"
    return (
        {
            f"raw.{name}" if name in {"level", "message", "time"} else name: value
            for name, value in fields.items()
        }
        | said
        | {"message": message}
    )


def _tail(message: str, before: str | None) -> tuple[str, dict[str, Any]]:
    parts = _FIRST_PAIR.split(message, maxsplit=1)
    behind = _pairs(parts[1]) if len(parts) > 1 else {}
    return (parts[0] if behind else message).rstrip(), _pairs(before) | behind


def _objects(message: str) -> tuple[str, dict[str, Any]]:
    """Take JSON objects off the end: Monolog's context and extra, pino's fields."""
    fields: dict[str, Any] = {}
    for _ in range(2):
        message = message.removesuffix(_EMPTY[0]).removesuffix(_EMPTY[1]).rstrip()
    if not message.endswith("}"):
        return message, fields
    for start in islice(_OBJECT.finditer(message), _MOST_TRIED):
        parts = _split(message[start.end() :])
        found = [item for part in parts if isinstance(item := read_json(part.encode()), dict)]
        if len(found) == len(parts):
            for item in found:
                fields |= item
            return message[: start.start()].rstrip(), fields
    return message, fields


def _split(text: str) -> list[str]:
    first, between, second = text.partition("} {")
    return [f"{first}}}", f"{{{second}"] if between else [text]


def _pairs(text: str | None) -> dict[str, Any]:
    read = pairs(text) if text else None
    return read[0] if read else {}
