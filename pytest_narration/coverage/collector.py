"""Events as they come -> what coverage keeps of them: signatures, channels, ids, hops.

The plugin feeds it on each pytest process, and ``narration catalog learn`` from captured files.
What is kept does not grow with the number of events, only with the number of different ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ..emit.redaction import REDACTED, Redactor
from ..event import COLUMNS, Event
from .catalog import Catalog, Hop, Signature
from .data import SESSION, CoverageData, Evidence, Sighting

__all__ = ["Collector", "signature_of"]

_ID_COLUMNS = tuple(sorted(name for name in COLUMNS if name.endswith("_id") and name != "event_id"))
_VOLATILE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b|\d+(?:[.:]\d+)*"
)
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_ANYTHING = "{…}"
_HUMAN_KEPT = 300
_HUMAN_READ = 1000


class Collector:
    """Turns events into :class:`CoverageData`, piece by piece.

    :param catalog: decides which text without a template belongs to which point, and which
        fields are ids beside the usual ones.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        extra = {name for point in catalog.points for name in point.ids} - set(_ID_COLUMNS)
        self._ids = (*_ID_COLUMNS, *sorted(extra))
        self._owners: dict[str, str] = {}
        self._jobs: dict[str, str] = {}
        self._orphans: dict[str, set[tuple[str, str]]] = {}
        self._evidence: dict[tuple[Signature, str], Evidence] = {}
        self._data = CoverageData()
        self._seen_any = False

    @property
    def has_seen_events(self) -> bool:
        """Whether any event came at all."""
        return self._seen_any

    def add(
        self,
        event: Event,
        *,
        channel: str = "stdout",
        source: str = "",
        context: str = SESSION,
        may_be_late: bool = True,
    ) -> None:
        """Count one event towards the test that owns it.

        An event belongs to the test whose events first carried its correlation id: a line that
        arrives while the next test runs still counts for its own. Without a correlation id it
        belongs to ``context``; so does one that cannot be late, whichever id a test chose for it.
        """
        self._seen_any = True
        if event.correlation_id and may_be_late:
            context = self._owners.setdefault(event.correlation_id, context)
        signature = signature_of(event, self._catalog)
        ids = tuple(name for name in self._ids if event.field(name) not in (None, ""))
        self._data.see(Sighting(signature, channel, ids), context)
        self._note(signature, channel, event, source, context)
        if event.job_id and event.service:
            self._link(event, event.service, context)

    def take(self) -> CoverageData:
        """Return what was seen since the last call."""
        taken, self._data = self._data, CoverageData()
        return taken

    def _note(
        self, signature: Signature, channel: str, event: Event, source: str, context: str
    ) -> None:
        timestamp, event_id = event.timestamp or "", event.event_id or ""
        known = self._evidence.get((signature, channel))
        if known is not None and (known.timestamp, known.event_id) < (timestamp, event_id):
            return
        human = _clean()(event.human[:_HUMAN_READ])[:_HUMAN_KEPT]
        evidence = Evidence(timestamp, event_id, human, source, context)
        if known is None or evidence < known:
            self._evidence[signature, channel] = evidence
            self._data.evidence[signature, channel] = evidence

    def _link(self, event: Event, service: str, context: str) -> None:
        """Find the edge between two services in ``parent_job_id``, whichever end comes first."""
        job = event.job_id or ""
        if job not in self._jobs:
            self._jobs[job] = service
            for child, owner in self._orphans.pop(job, ()):
                self._cross(service, child, owner)
        parent = event.parent_job_id
        if not parent:
            return
        if parent in self._jobs:
            self._cross(self._jobs[parent], service, context)
        else:
            self._orphans.setdefault(parent, set()).add((service, context))

    def _cross(self, source: str, target: str, context: str) -> None:
        if source != target:
            self._data.cross(Hop(source, target), context)


def signature_of(event: Event, catalog: Catalog) -> Signature:
    """Return what the event is recognised by.

    With a template that is the template. Without one, or with one that the caller had filled in
    before, it is the text of the point that declares it, else its own text with ids, numbers,
    secrets and what follows the first line replaced by ``{…}``, so that it stays one entry.
    """
    service = event.service or ""
    point = catalog.match(
        service=service,
        actor=event.actor,
        action=event.action,
        template=event.template,
        human=event.human,
    )
    if point is not None:
        return point.signature
    text = event.template or ""
    if not text or text == event.human:
        text = _steady(event.human[:_HUMAN_READ])[:_HUMAN_KEPT]
    return Signature(service, event.actor, event.action, text)


def _steady(text: str) -> str:
    """Return what stays the same of a text when it is said again."""
    first, *more = _LINE_BREAK.split(text, maxsplit=1)
    cleaned = _clean()(first)
    if REDACTED in cleaned and REDACTED not in first:
        first = cleaned.replace(REDACTED, _ANYTHING)
    return _VOLATILE.sub(_ANYTHING, first) + (_ANYTHING if any(more) else "")


@cache
def _clean() -> Callable[[str], str]:
    """Return what takes secrets out of text of foreign services: it is saved and published."""
    return Redactor().clean
