"""One call of :func:`narrate` -> one JSON line on stdout, and on the job's SSE stream.

Services call the functions of this module through :mod:`pytest_narration.emit`. The order of the
work is chosen for cost: what is the same for every event of a process, a call site or a context
is cleaned and encoded once, an event only adds what is its own (DESIGN: Emit).
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, Final

import msgspec

from ..errors import ConfigurationError
from ..event import LEVELS, MAX_LINE_BYTES, SCHEMA_VERSION
from .context import Context, _current
from .identity import Clock, Identity, new_instance
from .redaction import REDACTED, Redactor
from .sink import Drops, FdSink, Sink

__all__ = ["Narrator", "configure", "flush", "identity", "narrate", "subscribe"]

Subscriber = Callable[[bytes, Context | None], None]

_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}
_PROVENANCE: Final = frozenset(
    {"event_id", "timestamp", "seq", "service", "emitted_by", "instance", "schema_version"}
)
_SAYS: Final = frozenset({"human", "template", "level", "actor", "action", "cause"})
_CACHE_LIMIT: Final = 4096
# Text is cut before it is searched, so that a megabyte costs no more than its visible part. The
# margin is dropped afterwards: a secret that the first cut went through must not show its head.
_SCAN_LIMIT: Final = 2 * MAX_LINE_BYTES
_SCAN_MARGIN: Final = 8 * 1024
_FLUSH_SECONDS: Final = 1.0


class _CallSite:
    """What every event of one ``narrate(action, template, actor=..., level=...)`` shares."""

    __slots__ = ("head", "placeholders", "plans", "sensitive", "template")

    def __init__(self, head: bytes, template: str, sensitive: frozenset[str]) -> None:
        self.head = head
        self.template = template
        self.placeholders = _placeholders(template)
        self.sensitive = sensitive
        # {names of the fields: those that need more care than being written as they are}
        self.plans: dict[tuple[str, ...], frozenset[str]] = {}


class Narrator:
    """Turns calls into lines; one for each process, apart from tests.

    :param identity: who emits.
    :param sink: where lines go; never blocks.
    :param redactor: what removes secrets and control characters.
    :param level: the lowest level that is written.
    :param development: whether events carry ``source_location``.
    """

    def __init__(
        self,
        identity: Identity,
        sink: Sink,
        *,
        redactor: Redactor | None = None,
        level: str = "info",
        development: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.identity = identity
        self.sink = sink
        self.subscribers: tuple[Subscriber, ...] = ()
        self.rank = _RANK[level]
        self.development = development
        self._redactor = redactor or Redactor()
        self._clock = clock or Clock()
        # Reentrant: a signal handler may narrate while the main thread is in here.
        self._lock = threading.RLock()
        self._seq = 0
        self._encode = msgspec.json.Encoder(enc_hook=repr).encode
        self._call_sites: dict[tuple[str, str, str, str | None], _CallSite] = {}
        self._own = self._encode_own()

    def _encode_own(self) -> bytes:
        own = {
            "service": self.identity.service,
            "emitted_by": self.identity.emitted_by,
            "instance": self.identity.instance,
            "schema_version": SCHEMA_VERSION,
        }
        return self._encode(self._redactor.clean_value("", own))[1:-1]

    def after_fork(self) -> None:
        """Make the child of a fork an instance of its own, with its own sequence."""
        self._lock = threading.RLock()
        self._clock = Clock()
        self._seq = 0
        self.identity = msgspec.structs.replace(
            self.identity, instance=new_instance(self.identity.service)
        )
        self._own = self._encode_own()
        if isinstance(self.sink, FdSink):
            self.sink.after_fork()

    def emit(
        self,
        action: str,
        template: str,
        actor: str | None,
        level: str,
        said: dict[str, Any] | None,
        sse: bool,
        fields: dict[str, Any],
    ) -> str:
        """Write one event and return its id."""
        context = _current.get()
        if actor is None and context is not None:
            actor = context.actor
        key = (action, template, level, actor)
        site = self._call_sites.get(key) or self._call_site(key)
        if fields:
            names = tuple(fields)
            careful = site.plans.get(names)
            if careful is None:
                careful = self._plan(site, names)
            if careful:
                fields = self._handle_with_care(fields, careful)
        if site.placeholders:
            human = self._fill(site, fields, context)
        else:
            human = site.template
        clean = self._redactor.clean
        body: dict[str, Any] = {"human": clean(human) if len(human) < _SCAN_LIMIT else self._cut(human)}
        for name, value in fields.items():
            kind = type(value)
            if kind is str:
                body[name] = clean(value) if len(value) < _SCAN_LIMIT else self._cut(value)
            elif kind is int or kind is float or kind is bool:
                body[name] = value
            elif value is not None:
                body[name] = self._clean_value(name, value)
        if said:
            body |= {name: self._cut(text) for name, text in said.items()}
        bound = b""
        job_id = fields.get("job_id")
        if context is not None:
            bound = context.encoded if context.encoded is not None else self._bind(context)
            if not context.names.isdisjoint(fields):
                bound = self._encode_bound(context, without=fields)
            trail = context.trail
            if trail.pending:
                body["cause"], trail.pending = trail.pending, []
            if job_id is None:
                job_id = context.values.get("job_id")
        try:
            tail = self._encode(body)
        except Exception:  # any field may hold any object of the caller's
            tail = self._encode(_plain(body))
        # What stands before the body in the finished line: fixed parts, and room for id and seq.
        if len(tail) + len(bound) + len(site.head) + len(self._own) + 256 > MAX_LINE_BYTES:
            tail = self._shorten(body, MAX_LINE_BYTES - len(bound) - len(site.head) - len(self._own) - 256)
        with self._lock:
            event_id, timestamp = self._clock.stamp()
            self._seq = seq = self._seq + 1
            line = b"%b%b%b%b%b" % (
                f'{{"event_id":"{event_id}","timestamp":"{timestamp}","seq":{seq},'.encode(),
                self._own,
                site.head,
                bound,
                tail[1:],
            )
            self.sink.write(line + b"\n", seq)
        if context is not None:
            context.trail.last = event_id
            channel = context.channel
            if sse and channel is not None and job_id is not None and channel.job_id == job_id:
                try:
                    if channel.is_open:
                        channel.put(line)
                except Exception:  # noqa: S110  a service's own stream may fail in any way
                    pass
        for subscriber in self.subscribers:
            try:
                subscriber(line, context)
            except Exception:  # noqa: S110  a listener must not break the service it listens to
                pass
        return event_id

    def say_dropped(self, drops: Drops) -> None:
        """Narrate what a sink lost, once it takes lines again."""
        self.emit(
            "narration_dropped",
            "Dropped {dropped} lines while stdout did not take them: {error_kind}",
            "narration-sink",
            "warn",
            None,
            False,
            {
                "dropped": drops.count,
                "error_kind": drops.why,
                "first_seq": drops.first_seq,
                "last_seq": drops.last_seq,
            },
        )

    def say_failed(self, action: object, error: Exception) -> str | None:
        """Narrate that an event could not be made; give up when even that fails."""
        try:
            return self.emit(
                "narration_failed",
                "Could not narrate {failed_action}: {error_kind}",
                "narrator",
                "error",
                None,
                False,
                {"failed_action": str(action), "error_kind": type(error).__name__},
            )
        except Exception:  # the arguments' own methods may raise anything
            return None

    def _call_site(self, key: tuple[str, str, str, str | None]) -> _CallSite:
        action, template, level, actor = key
        template = self._cut(str(template))
        fixed = {
            "level": level if level in _RANK else "info",
            "actor": _ascii(actor or self.identity.service),
            "action": _ascii(action),
            "template": template,
        }
        head = b"," + self._encode(fixed)[1:-1] + b","
        site = _CallSite(head, template, self._redactor.sensitive_placeholders(template))
        if len(self._call_sites) >= _CACHE_LIMIT:
            # Only templates that are built at run time get here; starting over bounds them.
            self._call_sites.clear()
        self._call_sites[key] = site
        return site

    def _plan(self, site: _CallSite, names: tuple[str, ...]) -> frozenset[str]:
        secret = {name for name in names if self._redactor.is_secret_key(name)}
        careful = frozenset(secret | (site.sensitive & set(names)) | (_PROVENANCE | _SAYS) & set(names))
        if len(site.plans) < _CACHE_LIMIT:
            site.plans[names] = careful
        return careful

    def _handle_with_care(self, fields: dict[str, Any], careful: frozenset[str]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in fields.items():
            if name not in careful:
                kept[name] = value
            elif name in _PROVENANCE or name in _SAYS:
                # What an emitter says about itself cannot be overridden by a field; it is kept.
                kept[f"given_{name}"] = value
            else:
                kept[name] = None if value is None else REDACTED
        return kept

    def _fill(self, site: _CallSite, fields: dict[str, Any], context: Context | None) -> str:
        try:
            return site.template.format_map(fields)
        except Exception:  # a missing name or a format that does not fit: say what can be said
            bound = context.values if context is not None else {}
            return _fill_leniently(site.template, {**self._provenance(), **bound, **fields})

    def _provenance(self) -> dict[str, Any]:
        return {"service": self.identity.service, "instance": self.identity.instance}

    def _bind(self, context: Context) -> bytes:
        context.encoded = encoded = self._encode_bound(context, without=())
        return encoded

    def _encode_bound(self, context: Context, *, without: Iterable[str]) -> bytes:
        left_out = _PROVENANCE.union(_SAYS, without)
        values = {
            name: self._clean_value(name, value)
            for name, value in context.values.items()
            if name not in left_out
        }
        if not values:
            return b""
        try:
            encoded = self._encode(values)
        except Exception:  # any value may hold any object of the caller's
            encoded = self._encode(_plain(values))
        if len(encoded) > MAX_LINE_BYTES // 4:
            encoded = self._shorten(values, MAX_LINE_BYTES // 4)
        return encoded[1:-1] + b","

    def _clean_value(self, name: str, value: Any) -> Any:
        return self._redactor.clean_value(name, value)

    def _cut(self, text: str) -> str:
        if len(text) < _SCAN_LIMIT:
            return self._redactor.clean(text)
        visible = self._redactor.clean(text[:_SCAN_LIMIT])[:-_SCAN_MARGIN]
        return f"{visible}… [cut {len(text) - len(visible)} characters]"

    def _shorten(self, body: dict[str, Any], limit: int) -> bytes:
        """Cut the longest texts until the encoded body fits, each with a mark."""
        longest = limit
        while longest > 16:
            encoded = self._encode(_cut_texts(body, longest))
            if len(encoded) <= limit:
                return encoded
            longest //= 2
        return self._encode({"human": f"[event of {len(body)} fields does not fit on a line]"})


def _placeholders(template: str) -> frozenset[str]:
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
    except ValueError:
        return frozenset()


def _fill_leniently(template: str, values: Mapping[str, Any]) -> str:
    parts: list[str] = []
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        return template
    for literal, name, spec, conversion in pieces:
        parts.append(literal)
        if name is None:
            continue
        whole = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
        try:
            parts.append(whole.format_map(values))
        except Exception:  # a value's own __format__ may raise anything
            parts.append(str(values[name]) if type(values.get(name)) in (str, int, float) else whole)
    return "".join(parts)


def _ascii(text: object) -> str:
    return str(text).encode("ascii", "replace").decode("ascii")


def _plain(value: Any) -> Any:
    """Replace what JSON cannot hold by text."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    try:
        return repr(value)
    except Exception:  # a value's own __repr__ may raise anything
        return f"<{type(value).__name__}>"


def _cut_texts(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}… [cut {len(value) - longest} characters]"
    if isinstance(value, dict):
        return {name: _cut_texts(item, longest) for name, item in value.items()}
    if isinstance(value, list | tuple):
        cut = [_cut_texts(item, longest) for item in value[:longest]]
        return cut if len(value) <= longest else [*cut, f"… [cut {len(value) - longest} items]"]
    return value


def _default() -> Narrator:
    service = os.environ.get("NARRATION_SERVICE") or Path(sys.argv[0] or "app").stem or "app"
    level = os.environ.get("NARRATION_LEVEL", "info")
    return _make(
        Identity(service, "0", new_instance(service)),
        level=level if level in _RANK else "info",
        sink=None,
        redact=(),
        development=bool(os.environ.get("NARRATION_DEVELOPMENT")),
    )


def _make(
    identity: Identity, *, level: str, sink: Sink | None, redact: Iterable[str], development: bool
) -> Narrator:
    def say_dropped(drops: Drops) -> None:
        narrator.say_dropped(drops)

    narrator = Narrator(
        identity,
        sink or FdSink(1, on_recovered=say_dropped),
        redactor=Redactor(redact),
        level=level,
        development=development,
    )
    return narrator


class _Process:
    """The narrator of this process. Emitting is global by nature, as stdout is."""

    narrator: Narrator | None = None
    subscribers: tuple[Subscriber, ...] = ()
    lock = threading.Lock()


def _narrator() -> Narrator:
    with _Process.lock:
        if _Process.narrator is None:
            _Process.narrator = _default()
            _Process.narrator.subscribers = _Process.subscribers
        return _Process.narrator


def configure(
    service: str,
    version: str = "0",
    *,
    instance: str | None = None,
    level: str | None = None,
    sink: Sink | None = None,
    redact: Iterable[str] = (),
    development: bool | None = None,
) -> Identity:
    """Say who this process is; call it once, before the first event.

    :param service: the kind of process, ``"worker"``.
    :param version: of the code that narrates; with the service it makes ``emitted_by``.
    :param instance: unique per start; made from the host name, the pid and chance by default.
    :param level: the lowest level that is written; ``NARRATION_LEVEL`` or ``info`` by default.
    :param sink: where lines go; stdout by default.
    :param redact: more patterns of secrets, see :class:`~.redaction.Redactor`.
    :param development: add ``source_location`` to events; ``NARRATION_DEVELOPMENT`` by default.
    :raises ConfigurationError: the level or a pattern is unknown or malformed.
    """
    if level is None:
        level = os.environ.get("NARRATION_LEVEL") or "info"
    if level not in _RANK:
        raise ConfigurationError(f"level is {level!r}; choose one of {', '.join(LEVELS)}")
    if development is None:
        development = bool(os.environ.get("NARRATION_DEVELOPMENT"))
    who = Identity(service, version, instance or new_instance(service))
    narrator = _make(who, level=level, sink=sink, redact=redact, development=development)
    with _Process.lock:
        narrator.subscribers = _Process.subscribers
        _Process.narrator = narrator
    return who


def identity() -> Identity:
    """Return who this process says it is."""
    return (_Process.narrator or _narrator()).identity


def flush(timeout: float = _FLUSH_SECONDS) -> bool:
    """Wait at most ``timeout`` seconds for waiting lines to be written; say whether all were."""
    return _Process.narrator is None or _Process.narrator.sink.flush(timeout)


def subscribe(callback: Subscriber) -> Callable[[], None]:
    """Call ``callback(line, context)`` for each event of this process, in its thread.

    :param callback: gets the JSON line without its newline and the context it was emitted in.
    :return: a function that ends the subscription.
    """

    def change(subscribers: tuple[Subscriber, ...]) -> None:
        _Process.subscribers = subscribers
        if _Process.narrator is not None:
            _Process.narrator.subscribers = subscribers

    def unsubscribe() -> None:
        with _Process.lock:
            change(tuple(s for s in _Process.subscribers if s is not callback))

    with _Process.lock:
        change((*_Process.subscribers, callback))
    return unsubscribe


def narrate(
    action: str,
    template: str,
    /,
    *,
    actor: str | None = None,
    level: str = "info",
    cute: str | None = None,
    story: str | None = None,
    sse: bool = True,
    **fields: Any,
) -> str | None:
    """Say that ``actor`` did ``action``: one line on stdout, and on the job's SSE stream.

    ::

        narrate("tokenize", "Tokenized prompt ({tokens_in} tokens)", actor="tokenizer", tokens_in=7)

    Never raises and never blocks: a sink that takes nothing drops, counts and says so later.

    :param action: what is done, ASCII; a literal, because it names a point.
    :param template: the sentence, with ``{placeholders}`` for fields and bound values.
    :param actor: who does it, ASCII; the context's actor by default.
    :param level: one of :data:`~pytest_narration.event.LEVELS`.
    :param cute: the same in a playful voice.
    :param story: the same as dialogue.
    :param sse: ``False`` keeps an event inside a job off the job's stream.
    :param fields: further fields of the event; they win over the context's.
    :return: the event id; ``None`` when the level is not written or the event failed.
    """
    narrator = _Process.narrator or _narrator()
    if _RANK.get(level, 2) < narrator.rank:
        return None
    try:
        said = None
        if cute is not None or story is not None:
            said = {n: str(t) for n, t in (("cute", cute), ("story", story)) if t is not None}
        if narrator.development and "source_location" not in fields:
            frame = sys._getframe(1)
            where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            fields["source_location"] = where
        return narrator.emit(action, template, actor, level, said, sse, fields)
    except Exception as error:  # telling a story must never break the work it tells of
        return narrator.say_failed(action, error)


def _after_fork() -> None:
    _Process.lock = threading.Lock()
    if _Process.narrator is not None:
        _Process.narrator.after_fork()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(flush)
