"""Events that belong on a stream -> those that a stream read from start to end did not carry.

For ``channel-split``. Only what is certain counts: a stream that nobody read, or read in part,
owes nothing. A stream owes the events of its own job. It owes those of a job below, too, when it
is known to relay that service's events and the job was relayed to its end; an attempt that broke
off, or was cancelled, may lose its last events, but none in front of one that arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from ..event import Event
from .evidence import Exchange, Record
from .facts import Facts, emitter
from .readings import DONE, ENDS, Reading, kind, readings

__all__ = ["undelivered"]


def undelivered(evidence: Facts, events: Iterable[Event]) -> Iterator[tuple[Event, str]]:
    """Yield ``(event, job whose stream lacks it)``.

    :param events: what was seen on stdout and belongs on streams.
    """
    streams = _Streams(evidence)
    if not streams.endings:
        return
    seen: set[str] = set()
    for event in events:
        if event.event_id is None or event.job_id is None or event.event_id in seen:
            continue
        seen.add(event.event_id)
        for stream in streams.above(event.job_id):
            if event.event_id not in streams.carried.get(stream, ()) and streams.owes(
                stream, event
            ):
                yield event, stream


class _Streams:
    """The streams that were read, and what they carried for whatever reader."""

    def __init__(self, evidence: Facts) -> None:
        self._evidence = evidence
        self.endings = {
            reading.stream: reading.ends[-1].type if reading.ends else DONE
            for reading in readings(evidence.frames())
            if reading.stream is not None and _is_whole(reading, evidence)
        }
        """``{job: the frame that ended its stream}``, of streams that were read as a whole."""
        whole = evidence if evidence.whole is None else evidence.whole
        self._records = whole.records() if self.endings else []
        self.carried: dict[str, set[str]] = {}
        """``{job: ids of the events on its stream}``"""
        self._latest: dict[tuple[str, str | None, tuple[str | None, str | None]], int] = {}
        for record in (*evidence.sse, *self._records):
            if record.channel == "sse" and record.stream is not None:
                self._add(record.stream, record.event)

    def _add(self, stream: str, event: Event) -> None:
        if event.event_id is not None:
            self.carried.setdefault(stream, set()).add(event.event_id)
        if event.seq is not None:
            key = (stream, event.job_id, emitter(event))
            self._latest[key] = max(event.seq, self._latest.get(key, event.seq))

    def above(self, job_id: str) -> Iterator[str]:
        """Yield the job and its ancestors, as far as their streams were read as a whole."""
        at: str | None = job_id
        walked: set[str] = set()
        while at is not None and at not in walked:
            if at in self.endings:
                yield at
            walked.add(at)
            job = self._evidence.job(at)
            at = job.parent if job is not None else None

    def owes(self, stream: str, event: Event) -> bool:
        """Whether the stream must carry an event of its job or of a job below."""
        if event.job_id == stream:
            return True
        latest = self._latest.get((stream, event.job_id, emitter(event)))
        if latest is not None and event.seq is not None and latest > event.seq:
            return True
        return (
            self.endings[stream] == "end"
            and self._is_only_way(event.job_id, stream)
            and (self._service(stream), event.service) in self._relays()
        )

    def _is_only_way(self, job_id: str | None, stream: str) -> bool:
        """Whether no job on the way up has a sibling: a result then came through this job."""
        tree = self._evidence.tree
        while job_id is not None and job_id != stream:
            job = self._evidence.job(job_id)
            if job is None or job.parent is None or tree.children(job.parent) != [job_id]:
                return False
            job_id = job.parent
        return True

    def _service(self, job_id: str) -> str | None:
        job = self._evidence.job(job_id)
        return job.first.service if job is not None else None

    def _relays(self) -> set[tuple[str | None, str | None]]:
        """Return ``{(service of a stream, service whose events it carried)}``, ever seen."""
        if self._relayed is None:
            self._relayed = _relayed(self._records)
        return self._relayed

    _relayed: set[tuple[str | None, str | None]] | None = None


def _relayed(records: Iterable[Record]) -> set[tuple[str | None, str | None]]:
    owners: dict[str, str | None] = {}
    carried: set[tuple[str, str | None]] = set()
    for record in records:
        event = record.event
        if event.job_id is not None:
            owners.setdefault(event.job_id, event.service)
        if record.channel == "sse" and record.stream is not None:
            carried.add((record.stream, event.service))
    return {(owners[stream], service) for stream, service in carried if stream in owners}


def _is_whole(reading: Reading, evidence: Facts) -> bool:
    """Whether one reader saw the stream from its first frame to its last."""
    kinds = {kind(frame) for frame in reading.frames}
    if kind(reading.frames[0]) != "started":
        return False
    if DONE not in kinds:
        outcomes = {e.outcome for e in evidence.endings if e.source == reading.source}
        if kinds.isdisjoint(ENDS) or outcomes != {"complete"}:
            return False
    if any(_is_resumption(e) for e in evidence.exchanges if e.source == reading.source):
        return _has_no_gap(reading)
    return True


def _is_resumption(exchange: Exchange) -> bool:
    return "last-event-id" in exchange.request_headers


def _has_no_gap(reading: Reading) -> bool:
    """Whether ids that count up show that nothing was left out between two connections."""
    numbers = [frame.id for frame in reading.frames if frame.id]
    if not numbers or not all(number.isdecimal() for number in numbers):
        return False
    return all(after <= before + 1 for before, after in pairwise(map(int, numbers)))
