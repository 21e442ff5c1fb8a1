"""Descriptions of events -> what came of them in a scenario, and the text when it is not enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..coverage.catalog import ANYONE, template_regex
from ..errors import EmitterDied, StepFailed, StepMistake, WaitTimeout
from ..event import Event
from ..pattern import Pattern, any_of, containing, event, regex
from ..recorder import Record, Waited
from .chronology import Chronology
from .selection import Selection
from .values import Expected

if TYPE_CHECKING:
    from .scene import Scene

__all__ = ["Observed"]

_SETTLE_SECONDS = 10.0


class Observed:
    """Asks a scenario's narration about events that are described in words."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._began = time.monotonic()

    def where(self, described: Selection, **more: Any) -> dict[str, Any]:
        """Return the conditions that the description means, as the recorder takes them.

        :raises StepMistake: it names a point that no catalog has.
        """
        found: dict[str, Any] = {}
        if described.point is not None:
            found |= self._point(described.point)
        if described.action is not None:
            found["action"] = described.action
        if isinstance(described.saying, str):
            found["human"] = containing(described.saying)
        elif described.saying is not None:
            found["human"] = described.saying
        for column in ("service", "actor"):
            if (value := getattr(described, column)) is not None:
                found[column] = value
        if described.levels:
            found["level"] = (
                described.levels[0] if len(described.levels) == 1 else any_of(*described.levels)
            )
        found |= {name: Expected("is", (value,)) for name, value in described.fields}
        if described.scope == "request":
            found["correlation_id"] = self._scene.correlation_id
        elif described.scope == "job":
            found["job_id"] = self._scene.job.job_id
        return found | more

    def _point(self, point_id: str) -> dict[str, Any]:
        try:
            point = self._scene.catalog.point(point_id)
        except KeyError:
            known = sorted(point.id for point in self._scene.catalog.points)
            raise StepMistake(
                f'the catalog has no point "{point_id}"; points are: {", ".join(known)}'
            ) from None
        expression = point.pattern or template_regex(point.human)
        found: dict[str, Any] = {"service": point.service}
        found |= {n: v for n in ("actor", "action") if (v := getattr(point, n)) != ANYONE}
        return found | {"human": regex(rf"(?s)\A(?:{expression})\Z")}

    def pattern(self, described: Selection, **more: Any) -> Pattern:
        """Return the description as a pattern that can be composed and awaited."""
        return event(**self.where(described, **more))

    def wait(self, described: Selection, within: float | None = None, /, **more: Any) -> Record:
        """Wait until such an event comes and return the sighting.

        :raises WaitTimeout: none came in time.
        """
        __tracebackhide__ = True
        return self.wait_pattern(self.pattern(described, **more), within)[-1]

    def wait_pattern(self, pattern: Pattern, within: float | None = None) -> tuple[Record, ...]:
        """Wait until events meet the pattern and return their sightings."""
        __tracebackhide__ = True
        timeout = self._scene.patience if within is None else within
        return self._scene.narration.wait_for(pattern, timeout=timeout).records

    def events(self, described: Selection, **more: Any) -> list[Event]:
        """Return such events that came so far, each once."""
        return self._scene.narration.events(**self.where(described, **more))

    def settled(self) -> None:
        """Wait until nothing more is to come, so that absences and numbers can be judged.

        :raises StepFailed: a source was cut off, or nothing at all was narrated.
        """
        __tracebackhide__ = True
        self._scene.settle(_SETTLE_SECONDS)
        self.conclusive()

    def conclusive(self) -> None:
        """Fail when what came cannot be all of what was narrated."""
        __tracebackhide__ = True
        scene = self._scene
        lost = [
            f"{ending.source} was {ending.outcome}: {ending.detail}"
            for ending in scene.narration.endings
            if ending.outcome != "complete" and ending.source not in scene.ended_on_purpose
        ]
        if lost:
            raise StepFailed(f"this cannot be judged, because {'; '.join(lost)}")
        if not scene.narration.records():
            raise StepFailed(
                "this cannot be judged, because nothing at all was narrated in this scenario: "
                "is the service's output read, and does the request reach it?"
            )

    def count(
        self, described: Selection, amount: Expected, during: float | None = None, **more: Any
    ) -> None:
        """Judge how many such events there are when all is quiet, or after so many seconds.

        :raises StepFailed: it is another number.
        """
        __tracebackhide__ = True
        began = time.monotonic()
        where = self.where(described, **more)
        if during is not None:
            self._scene.narration.recorder.never(_never, during=during)
            self.conclusive()
        elif amount.word in ("at least", "more than"):
            self._wait_for_many(where, amount, self._scene.patience)
        else:
            self.settled()
        records = _once(self._scene.narration.records(**where))
        if not amount.accepts(len(records)):
            found = f"{len(records)} came"
            raise StepFailed(self.told(f"{amount!r} {described}", found, where, records, began))

    def _wait_for_many(self, where: dict[str, Any], amount: Expected, timeout: float) -> None:
        least = int(amount.operands[0]) + (amount.word == "more than")
        try:
            self._scene.narration.wait_for(event(**where) * max(least, 1), timeout=timeout)
        except WaitTimeout:
            return  # counted and told by the caller

    def now(self, *described: Selection) -> tuple[Chronology, list[list[Record]]]:
        """Return the order of what came so far, and the sightings that each description means."""
        narration = self._scene.narration
        stop = narration.mark()
        view = narration.until(stop)
        found = [_once(view.records(**self.where(each))) for each in described]
        return Chronology(view.records()), found

    def until(
        self,
        judge: Callable[[Chronology, list[list[Record]]], bool],
        described: Sequence[Selection],
        wanted: str,
        *,
        extra: float = 0.0,
    ) -> None:
        """Wait until what came satisfies the judge.

        :param extra: seconds beyond the scenario's patience.
        :raises StepFailed: all came in time, and do not satisfy it.
        :raises WaitTimeout: one did not come.
        """
        __tracebackhide__ = True
        began = time.monotonic()
        narration = self._scene.narration
        deadline = began + self._scene.patience + extra
        while True:
            mark = narration.mark()
            chronology, records = self.now(*described)
            if all(records) and judge(chronology, records):
                return
            try:
                left = deadline - time.monotonic()
                narration.recorder.wait_for(event(), since=mark, timeout=max(left, 0.0))
            except (WaitTimeout, EmitterDied):
                break
        missing = [each for each, found in zip(described, records, strict=True) if not found]
        came = sorted((r for found in records for r in found), key=lambda record: record.index)
        if missing:
            self.never_came(missing[0], came)
        reason = "all of them came, and not as expected"
        pairs = pairwise(zip(described, records, strict=True))
        for (one, first), (other, second) in pairs:
            if not any(chronology.precedes(a, b) for a in first for b in second):
                basis = chronology.basis(first[0], second[-1])
                reason += f":\n  {one} comes after {other}, {basis}"
        where = self.where(described[-1])
        raise StepFailed(self.told(wanted, reason, where, came, began))

    def never_came(self, missing: Selection, came: Sequence[Record] = ()) -> None:
        """Fail with the nearest miss, or with the end of the services that could bring it.

        :param came: what came of the expectation.
        :raises WaitTimeout: always, but for what comes at the last moment.
        """
        __tracebackhide__ = True
        try:
            self.wait(missing, 0.0)
        except WaitTimeout:
            where = self.where(missing)
            text = self.told(str(missing), "", where, came, self._began)
            raise WaitTimeout(text) from None

    def shown(
        self, wanted: str, records: list[Record], described: Selection, found: str = ""
    ) -> str:
        """Return the text of an expectation that these records break.

        :param found: what is wrong with them; otherwise that so many came.
        """
        found = found or f"{len(records)} came"
        return self.told(wanted, found, self.where(described), records, self._began)

    def told(
        self,
        wanted: str,
        found: str,
        where: dict[str, Any],
        records: Sequence[Record],
        began: float,
    ) -> str:
        """Return the text of an expectation that was not met, with the nearest miss."""
        from ..explain import waited
        from ..recorder import Where

        narration = self._scene.narration
        wait = Waited(
            remaining=wanted,
            reason=found,
            timeout=self._scene.patience,
            elapsed=time.monotonic() - began,
            since=narration.start,
            awaited=(Where(where),),
            met=tuple(records),
            dead=tuple(narration.recorder.deaths()),
        )
        return waited(narration.recorder, wait)


def _once(records: list[Record]) -> list[Record]:
    """Return one sighting of each event."""
    seen: set[str] = set()
    kept = []
    for record in records:
        event_id = record.event.event_id
        if event_id is None or event_id not in seen:
            kept.append(record)
            if event_id is not None:
                seen.add(event_id)
    return kept


_never: Callable[[Event], bool] = lambda event: False  # noqa: E731  # waits out a time
