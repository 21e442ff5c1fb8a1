"""``stream-grammar``: ``started → (narration | token | metrics)* → (end | error) → [DONE]``.

Judged on the frames of each stream, for each reader of it. A stream that is still open when it is
judged is inconclusive; one that closed without its end is broken. Of several readers of one
stream, one may have seen its beginning and another its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .facts import Facts
from .readings import DONE, ENDS, Reading, kind, readings
from .registry import rule
from .verdict import Doubt, Finding, Note, Violation
from .words import listed, quoted

__all__ = ["stream_grammar"]

_MIDDLE = ("narration", "token", "metrics")
_SHOWN = 6


@rule(
    "stream-grammar",
    title="a stream is started → … → one end or error → [DONE], and nothing after",
    hint=(
        "open each stream with started, close it in one place with end or error however the work "
        "ends, let the job server send [DONE] last; list further frame types in the option `also` "
        "and services whose streams have no [DONE] in `without_done`"
    ),
    needs=("sse",),
    on_nothing="judge",
)
def stream_grammar(
    evidence: Facts, *, also: Sequence[str] = (), without_done: Sequence[str] = ()
) -> Iterable[Finding]:
    """Yield one violation for each departure from the grammar.

    :param also: further frame types between started and the end.
    :param without_done: services whose streams end without ``[DONE]``; a stream of a job that has
        a parent never needs it, as ``[DONE]`` is the job server's signal to its client.
    """
    every = readings(evidence.frames())
    if not every:
        yield Note("no stream was read")
    begun = {reading.stream for reading in every if kind(reading.frames[0]) == "started"}
    ended = {reading.stream for reading in every if reading.ends}
    outcomes = {ending.source: ending.outcome for ending in evidence.endings}
    allowed = frozenset((*_MIDDLE, *also))
    for reading in every:
        yield from _in_order(reading, allowed, resumed=reading.stream in begun)
        kinds = {kind(frame) for frame in reading.frames}
        if kinds.isdisjoint((*ENDS, DONE)):
            if reading.stream not in ended:
                yield from _unended(reading, "end or error", outcomes.get(reading.source))
        elif DONE not in kinds and _needs_done(reading.stream, evidence, without_done):
            yield from _unended(reading, DONE, outcomes.get(reading.source))


def _needs_done(stream: str | None, evidence: Facts, without: Sequence[str]) -> bool:
    job = evidence.job(stream)
    return job is None or not (job.parents or job.service in without)


def _in_order(reading: Reading, allowed: frozenset[str], *, resumed: bool) -> Iterator[Violation]:
    end = done = None
    ids: set[str] = set()
    for position, frame in enumerate(reading.frames):
        what = kind(frame)
        if frame.id and frame.id in ids:
            yield _broken(reading, position, f"frame id {quoted(frame.id)} came twice")
        ids.add(frame.id)
        if done is not None:
            yield _broken(reading, position, f"{what} came after {DONE}")
        elif what == DONE:
            done = frame
            if end is None and not (position == 0 and resumed):
                yield _broken(reading, position, f"{DONE} came before end or error")
        elif end is not None:
            second = f"a second end, {what}," if what in ENDS else what
            yield _broken(reading, position, f"{second} came after {end.type}")
        elif what == "started":
            if position:
                yield _broken(reading, position, "started came twice or late")
        else:
            if what in ENDS:
                end = frame
            elif what not in allowed:
                known = listed(sorted(allowed), limit=20)
                yield _broken(reading, position, f"unknown frame {quoted(what)}; known are {known}")
            if position == 0 and not resumed:
                yield _broken(reading, position, f"it began with {what}, not with started")


def _unended(reading: Reading, missing: str, outcome: str | None) -> Iterator[Finding]:
    last = kind(reading.frames[-1])
    if outcome == "complete":
        yield _broken(reading, len(reading.frames) - 1, f"it closed without {missing}")
    elif outcome is None:
        yield Doubt(
            f"the stream of job {quoted(reading.stream)} is still open without {missing}; its "
            f"last frame is {last}",
            reading.source,
        )
    # Cut off or unreachable: the check itself says so, for every rule that needs the stream.


def _broken(reading: Reading, position: int, what: str) -> Violation:
    frame = reading.frames[position]
    job = quoted(reading.stream)
    hop = f"between the stream of job {job} and {reading.source or 'its reader'}"
    first = max(0, position - _SHOWN + 1)
    kinds = [kind(f) for f in reading.frames[first : position + 1]]
    before = f"… {first} more → " if first else ""
    proof = [f"frames: {before}{' → '.join(kinds)}"]
    if frame.data:
        proof.append(f"data: {quoted(frame.data[:160])}")
    return Violation(f"stream of job {job}: {what}", tuple(proof), hop=hop, source=reading.source)
