"""One call -> one JSON line on the sink, and on the job's SSE stream.

:mod:`.process` holds the narrator of a process and gives services its functions. The order of the
work is chosen for cost: what is the same for every event of a process, a call site or a context
is cleaned and encoded once, an event only adds what is its own (DESIGN: Emit).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from itertools import count
from typing import Any, Final

import msgspec

from ..errors import ContractBroken
from ..event import COLUMNS, LEVELS, MAX_LINE_BYTES, SCHEMA_VERSION
from .context import Channel, Context, _current
from .identity import Clock, Identity, new_instance
from .redaction import REDACTED, Redactor
from .sink import Drops, FdSink, Sink
from .text import ascii_only, cut_texts, fill, filler, plain

__all__ = ["RANK", "Narrator", "Subscriber"]

Subscriber = Callable[[bytes, Context | None], None]

RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}
_PROVENANCE: Final = frozenset(
    {"event_id", "timestamp", "seq", "service", "emitted_by", "instance", "schema_version"}
)
_SAYS: Final = frozenset({"human", "template", "level", "actor", "action", "cause"})
_CACHE_LIMIT: Final = 4096
# Text is cut before it is searched, so that a megabyte costs no more than its visible part. The
# margin is dropped afterwards: a secret that the first cut went through must not show its head.
_SCAN_LIMIT: Final = 2 * MAX_LINE_BYTES
_SCAN_MARGIN: Final = 8 * 1024
_HEAD_ROOM: Final = 16 * 1024
"""Bytes of a line for what is fixed by the call site, the id and the time."""
_QUICK_CHARS: Final = 16 * 1024
_PLAIN: Final = frozenset({str, int, float, bool})
"""Types whose JSON shows what they hold; bytes, for one, would hide it."""


class _CallSite:
    """What every event of one ``narrate(action, template, actor=..., level=...)`` shares."""

    __slots__ = ("fill", "fixed", "holds_secrets", "plans", "sensitive", "template")

    def __init__(self, fixed: str, template: str, sensitive: frozenset[str]) -> None:
        self.fixed = fixed
        self.template = template
        self.fill = filler(template)
        self.sensitive = sensitive
        self.holds_secrets = False
        """Whether the last event did, in the text of a field: the next one is likely to."""
        # {names of the fields: {name: (its name in the event, whether its value is a secret)}},
        # for those that are not written as they are
        self.plans: dict[tuple[str, ...], dict[str, tuple[str, bool]]] = {}


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
        self.silent = frozenset(LEVELS[: RANK[level]])
        """The levels that are not written."""
        self.development = development
        self._redactor = redactor or Redactor()
        self._clock = clock or Clock()
        self._share_lock()
        # Drawn from in one step, so that a handler in between takes another number.
        self._seq = count(1)
        self._encode = msgspec.json.Encoder(enc_hook=repr).encode
        self._is_suspect = self._redactor.is_suspect_text
        self._call_sites: dict[tuple[str, str, str, str | None], _CallSite] = {}

    def after_fork(self) -> None:
        """Make the child of a fork an instance of its own, with its own sequence."""
        self._clock = Clock()
        self._seq = count(1)
        self.identity = msgspec.structs.replace(
            self.identity, instance=new_instance(self.identity.service)
        )
        self._call_sites.clear()
        if isinstance(self.sink, FdSink):
            self.sink.after_fork()
        self._share_lock()

    def _share_lock(self) -> None:
        """Number and write lines under one lock, the sink's where it has one."""
        self._take: Callable[[bytes, int], Drops | None]
        if isinstance(self.sink, FdSink):
            self._lock, self._take = self.sink.lock, self.sink.take
        else:
            # Reentrant: a signal handler may narrate while the main thread is in here.
            self._lock, self._take = threading.RLock(), self.sink.write

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
                fields = _handle_with_care(fields, careful)
        if context is not None and site.sensitive and not context.names.isdisjoint(site.sensitive):
            # The template shows a bound value as a secret that its name does not tell of.
            told = site.sensitive & context.names - fields.keys()
            fields = {**fields, **dict.fromkeys(told, REDACTED)}
        is_plain = _PLAIN.issuperset(map(type, fields.values()))
        shown = self._clean_first(site, fields) if is_plain and site.holds_secrets else fields
        body: dict[str, Any] = {
            "human": site.fill(shown) or self._fill(site, shown, context),
            **shown,
        }
        if said:
            body |= said
        bound = ""
        if context is not None:
            bound = context.encoded if context.encoded is not None else self._bind(context)
            if not context.names.isdisjoint(body):
                bound = self._encode_bound(context, without=body)
            trail = context.trail
            if trail.pending:
                # The same event may be learnt from a response's header and from its stream.
                body["cause"], trail.pending = list(dict.fromkeys(trail.pending)), []
        tail = ""
        if is_plain:
            try:
                tail = self._encode(body).decode()
                # One scan over the encoded text stands for one scan of each value. What JSON
                # escapes is hidden from it, so an escape sends the event the careful way.
                if "\\" in tail or len(tail) > _QUICK_CHARS:
                    tail = ""
                elif self._is_suspect(tail):
                    tail = ""
                    site.holds_secrets = True
            except Exception:  # an integer beyond 64 bits, half of a surrogate pair
                tail = ""
        if not tail:
            room = MAX_LINE_BYTES - _HEAD_ROOM - len(bound)
            tail = self._encode_carefully(site, context, body, room)
        with self._lock:
            event_id, rest = self._clock.stamp()
            seq = next(self._seq)
            line = f'{{"event_id":"{event_id}{rest}{seq}{site.fixed}{bound}{tail[1:]}\n'.encode()
            drops = self._take(line, seq)
        if drops is not None and isinstance(self.sink, FdSink):
            self.sink.tell(drops)
        if context is not None:
            trail.last = event_id
            channel = context.channel
            if sse and channel is not None:
                job_id = fields["job_id"] if "job_id" in fields else context.get("job_id")
                if type(job_id) is str:
                    _put(channel, job_id, line[:-1])
        for subscriber in self.subscribers:
            try:
                subscriber(line[:-1], context)
            except ContractBroken:  # the one listener that is asked to speak up
                raise
            except Exception:  # noqa: S110  a listener must not break the service it listens to
                pass
        return event_id

    def _clean_first(self, site: _CallSite, fields: dict[str, Any]) -> dict[str, Any]:
        """Clean the texts of an event that is likely to need it, sooner than finding out."""
        clean = self._redactor.clean
        cleaned = {
            name: clean(value)
            if type(value) is str and value is not REDACTED and len(value) < _QUICK_CHARS
            else value
            for name, value in fields.items()
        }
        site.holds_secrets = cleaned != fields
        return cleaned

    def _encode_carefully(
        self, site: _CallSite, context: Context | None, body: dict[str, Any], limit: int
    ) -> str:
        """Encode what may hold secrets, foreign objects or more than fits; ``None`` is left out."""
        cleaned: dict[str, Any] = {"human": ""}
        for name, value in body.items():
            if isinstance(value, str):
                # A subclass may have methods of its own; what counts is its text.
                cleaned[name] = "" if name == "human" else self._cut(str.__str__(value))
            elif value is not None:
                cleaned[name] = value if name == "cause" else self._clean_value(name, value)
        # Filled once more, with clean values: a secret is then looked for once, in its field.
        shown = {name: cleaned.get(name) for name in body}
        human = site.fill(shown) or self._fill(site, shown, context)
        cleaned["human"] = self._cut(human)
        try:
            encoded = self._encode(cleaned)
        except Exception:  # any field may hold any object of the caller's
            encoded = self._encode(plain(cleaned))
        return (encoded if len(encoded) <= limit else self._shorten(cleaned, limit)).decode()

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
                {"failed_action": plain(action), "error_kind": type(error).__name__},
            )
        except Exception:  # the arguments' own methods may raise anything
            return None

    def _call_site(self, key: tuple[str, str, str, str | None]) -> _CallSite:
        action, template, level, actor = key
        template = self._cut(str(template))
        own = {
            "service": self.identity.service,
            "emitted_by": self.identity.emitted_by,
            "instance": self.identity.instance,
            "schema_version": SCHEMA_VERSION,
        }
        told = {
            "level": level,
            "actor": ascii_only(self._cut(str(actor or self.identity.service))),
            "action": ascii_only(self._cut(str(action))),
            "template": template,
        }
        cleaned = {name: self._redactor.clean_value(name, value) for name, value in own.items()}
        fixed = self._encode(cleaned | told)
        if len(fixed) > _HEAD_ROOM - 256:
            fixed = self._shorten(cleaned | told, _HEAD_ROOM - 256)
        site = _CallSite(
            f",{fixed[1:-1].decode()},",
            template,
            self._redactor.sensitive_placeholders(template),
        )
        if len(self._call_sites) >= _CACHE_LIMIT:
            # Only templates that are built at run time get here; starting over bounds them.
            self._call_sites.clear()
        self._call_sites[key] = site
        return site

    def _plan(self, site: _CallSite, names: tuple[str, ...]) -> dict[str, tuple[str, bool]]:
        careful: dict[str, tuple[str, bool]] = {}
        for name in names:
            cleaned = self._redactor.clean(name)
            if cleaned in _PROVENANCE or cleaned in _SAYS:
                # What an emitter says about itself cannot be overridden by a field; it is kept.
                careful[name] = f"given_{cleaned}", False
            elif cleaned in site.sensitive or self._redactor.is_secret_key(cleaned):
                careful[name] = cleaned, True
            elif cleaned != name:
                careful[name] = cleaned, False
        if len(site.plans) < _CACHE_LIMIT:
            site.plans[names] = careful
        return careful

    def _fill(self, site: _CallSite, fields: dict[str, Any], context: Context | None) -> str:
        known: dict[str, Any] = {
            "service": self.identity.service,
            "instance": self.identity.instance,
        }
        if context is not None:
            known |= {n: self._clean_value(n, value) for n, value in context.values.items()}
        return fill(site.template, {**known, **fields})

    def _bind(self, context: Context) -> str:
        context.encoded = encoded = self._encode_bound(context, without=())
        context.names |= {self._redactor.clean(name) for name in context.names}
        return encoded

    def _encode_bound(self, context: Context, *, without: Container[str]) -> str:
        values = {
            cleaned: self._clean_value(name, value)
            for name, value in context.values.items()
            if (cleaned := self._redactor.clean(name)) not in without
            and cleaned not in _PROVENANCE
            and cleaned not in _SAYS
        }
        if not values:
            return ""
        try:
            encoded = self._encode(values)
        except Exception:  # any value may hold any object of the caller's
            encoded = self._encode(plain(values))
        if len(encoded) > MAX_LINE_BYTES // 4:
            encoded = self._shorten(values, MAX_LINE_BYTES // 4)
        inside = encoded[1:-1].decode()
        return f"{inside}," if inside else ""

    def _clean_value(self, name: str, value: Any) -> Any:
        return self._redactor.clean_value(name, value)

    def _cut(self, text: str) -> str:
        if len(text) < _SCAN_LIMIT:
            return self._redactor.clean(text)
        visible = self._redactor.clean(text[:_SCAN_LIMIT])[:-_SCAN_MARGIN]
        return f"{visible}… [cut {len(text) - len(visible)} characters]"

    def _shorten(self, body: dict[str, Any], limit: int) -> bytes:
        """Cut the longest texts until the encoded body fits, each with a mark."""
        body = plain(body)
        longest = limit
        while longest > 16:
            encoded = self._encode(cut_texts(body, longest))
            if len(encoded) <= limit:
                return encoded
            longest //= 2
        # Too many fields, or names without end: what tells whose event it is stays.
        known = {name: value for name, value in body.items() if name in COLUMNS}
        return self._encode(cut_texts(known, 128) | {"fields_left_out": len(body) - len(known)})


def _handle_with_care(
    fields: dict[str, Any], careful: dict[str, tuple[str, bool]]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if name in careful:
            name, is_secret = careful[name]
            if is_secret and value is not None and not (type(value) is str and not value):
                value = REDACTED
        kept[name] = value
    return kept


def _put(channel: Channel, job_id: str, line: bytes) -> None:
    try:
        if channel.job_id == job_id and channel.is_open:
            channel.put(line)
    except Exception:  # noqa: S110  a service's own stream may fail in any way
        pass
