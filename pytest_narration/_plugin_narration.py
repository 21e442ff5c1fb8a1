"""The window that a test looks through: what was recorded since it began, waits and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .recorder import Exchange, Match, Recorder, View

if TYPE_CHECKING:
    from ._plugin_judge import Policy
    from .event import Event
    from .recorder import Pattern
    from .rules import Rule, Verdict
    from .story import Story

__all__ = ["Judged", "Narration"]

_Client = TypeVar("_Client")


class Judged(View):
    """A part of what was recorded, which the project's rules can judge."""

    def __init__(
        self,
        recorder: Recorder,
        policy: Policy,
        start: int = 0,
        stop: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(recorder, start, stop, correlation_id)
        self._policy = policy

    def since(self, mark: int) -> Judged:
        """Return what arrived at or after the mark, growing with the recorder."""
        return self._part(super().since(mark))

    def until(self, mark: int) -> Judged:
        """Return what arrived before the mark."""
        return self._part(super().until(mark))

    def for_correlation(self, correlation_id: str) -> Judged:
        """Return one request: its events, streams and HTTP calls."""
        return self._part(super().for_correlation(correlation_id))

    def _part(self, view: View) -> Judged:
        return Judged(self.recorder, self._policy, view._start, view._stop, view._correlation_id)

    def check(
        self,
        rules: Iterable[str | Rule] | None = None,
        *,
        allow: Mapping[str, str] | Iterable[Mapping[str, Any]] = (),
    ) -> list[Verdict]:
        """Judge this part; one verdict per rule.

        :param rules: ids; all rules of the project by default.
        :param allow: ``{rule id: reason}``, or exemptions as in ``[tool.narration.rules]``.
        :raises pytest.UsageError: one of them is unknown or malformed.
        """
        __tracebackhide__ = True
        from ._plugin_judge import chosen

        return self._policy.check(self, chosen(rules, allow, where="narration.check()"))

    def assert_holds(
        self,
        rules: Iterable[str | Rule] | None = None,
        *,
        allow: Mapping[str, str] | Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Check, and fail the test with every violation, its evidence and its hint.

        :raises NarrationViolation: at least one rule is broken or inconclusive.
        """
        __tracebackhide__ = True
        from ._plugin_judge import chosen
        from .errors import NarrationViolation

        choice = chosen(rules, allow, where="narration.assert_holds()")
        if text := self._policy.complaint(self, choice):
            raise NarrationViolation(text)

    def story(self, correlation_id: str) -> Story:
        """Return the story of one request, in canonical causal order."""
        from .story import Story

        return Story.of(self.for_correlation(correlation_id))


class Narration(Judged):
    """The fixture ``narration``: reads like a recorder, from the test's start on.

    Reading and waiting never consume, so questions come in any order. :attr:`recorder` has the
    whole session.
    """

    def __init__(
        self,
        recorder: Recorder,
        policy: Policy,
        mark: int = 0,
        recorders: list[Recorder] | None = None,
    ) -> None:
        super().__init__(recorder, policy, mark)
        self.start = mark
        """Where the test began in the recorder."""
        self._recorders = [recorder] if recorders is None else recorders

    def beside(self, recorder: Recorder, mark: int = 0) -> Narration:
        """Look at a recorder of the test's own, such as a second cluster's, in the same way.

        The project's rules judge it too, and coverage counts what it holds.

        :param mark: where the view begins.
        """
        if not any(known is recorder for known in self._recorders):
            self._recorders.append(recorder)
        return Narration(recorder, self._policy, mark, self._recorders)

    def __repr__(self) -> str:
        return f"<narration: {len(self.events())} events, {len(self.rejected)} rejected lines>"

    def mark(self) -> int:
        """Return a position between what arrived and what will, for ``since(mark)``."""
        return self.recorder.mark()

    def wait_for(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,
        since: int | None = None,
        **where: Any,
    ) -> Match:
        """Return what meets the pattern since the test began; see :meth:`Recorder.wait_for`."""
        __tracebackhide__ = True
        since = self.start if since is None else since
        return self.recorder.wait_for(pattern, timeout=timeout, since=since, **where)

    async def wait_for_async(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  # the same wait as its synchronous twin
        since: int | None = None,
        **where: Any,
    ) -> Match:
        """Like :meth:`wait_for`, while the running loop goes on."""
        __tracebackhide__ = True
        since = self.start if since is None else since
        return await self.recorder.wait_for_async(pattern, timeout=timeout, since=since, **where)

    def never(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        during: float = 0.0,
        since: int | None = None,
        **where: Any,
    ) -> None:
        """Fail when it came since the test began; see :meth:`Recorder.never`."""
        __tracebackhide__ = True
        since = self.start if since is None else since
        self.recorder.never(pattern, during=during, since=since, **where)

    async def never_async(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        during: float = 0.0,
        since: int | None = None,
        **where: Any,
    ) -> None:
        """Like :meth:`never`, while the running loop goes on."""
        __tracebackhide__ = True
        since = self.start if since is None else since
        await self.recorder.never_async(pattern, during=during, since=since, **where)

    def settle(
        self,
        timeout: float = 5.0,
        quiet: float = 0.2,
        *,
        terminal: Callable[[Event], bool] | None = None,
    ) -> None:
        """Wait until no job is open and nothing arrives; see :meth:`Recorder.settle`."""
        __tracebackhide__ = True
        self.recorder.settle(timeout, quiet, terminal=terminal)

    async def settle_async(
        self,
        timeout: float = 5.0,  # noqa: ASYNC109  # the same wait as its synchronous twin
        quiet: float = 0.2,
        *,
        terminal: Callable[[Event], bool] | None = None,
    ) -> None:
        """Like :meth:`settle`, while the running loop goes on."""
        __tracebackhide__ = True
        await self.recorder.settle_async(timeout, quiet, terminal=terminal)

    def add_exchange(self, **exchange: Any) -> Exchange:
        """Record an HTTP call of the test; see :meth:`Recorder.add_exchange`."""
        return self.recorder.add_exchange(**exchange)

    def watch(self, client: _Client, *, source: str = "test") -> _Client:
        """Record every call of an HTTP client from here on; see :func:`.sources.watch`."""
        from .sources import watch

        return watch(client, self.recorder, source=source)

    @property
    def session(self) -> Judged:
        """Everything of the session so far, to be judged by the project's rules."""
        return Judged(self.recorder, self._policy)
