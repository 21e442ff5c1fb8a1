"""A node's membership: registers with the orchestrator and keeps saying that it lives.

An orchestrator that cannot be reached, forgets the node or starts anew changes nothing here but
that the node registers again as soon as it can.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from pytest_narration.emit import current_context, identity, narrate, narration_context, new_id

from ..hop import Hop, HopError
from .settings import Settings

__all__ = ["Registration"]

_ACTOR = "node-agent"
_JOIN_PAUSE = 0.05


class Registration:
    """Belongs to the event loop.

    :param capacity: gives what a heartbeat says: ``{"slots": 4, "workers_ready": 1, ...}``.
    """

    def __init__(
        self,
        settings: Settings,
        hop: Hop,
        address: str,
        capacity: Callable[[], dict[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._hop = hop
        self._address = address
        self._capacity = capacity
        self._url = settings.orchestrator_url.rstrip("/")
        self._clock = clock
        self._join_until = clock() + settings.join_patience
        """Until then the orchestrator may still be starting, as this node is."""
        self._news = asyncio.Event()
        self._causes: list[str] = []
        """Events since the latest heartbeat that may have changed the capacity."""
        self._slots = 0
        """What the latest heartbeat said, or tried to say."""
        self._is_registered = False
        self._is_failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Register, and beat until stopped."""
        self._task = asyncio.create_task(self._run())

    def kick(self) -> None:
        """Beat now: the capacity changed."""
        self._news.set()

    def follow(self, event_id: str | None) -> None:
        """Let the next heartbeat's change of the capacity, if there is one, name this event."""
        if event_id is not None:
            self._causes.append(event_id)

    async def stop(self) -> None:
        """Say goodbye, if the orchestrator listens."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if not self._is_registered:
            return
        with narration_context(correlation_id=new_id(), actor=_ACTOR):
            narrate(
                "node_deregister",
                "Deregistering node {node_id} at {target}",
                node_id=self._settings.node_id,
                target=self._url,
            )
            with contextlib.suppress(HopError):  # it will miss our heartbeats
                await self._hop.call("DELETE", f"{self._url}/v2/nodes/{self._settings.node_id}")

    async def _run(self) -> None:
        # One correlation id for the membership: what the orchestrator says of this node joins it.
        with narration_context(correlation_id=new_id(), actor=_ACTOR):
            while True:
                self._news.clear()
                if self._is_registered or await self._register():
                    await self._beat()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.heartbeat):
                        await self._news.wait()

    async def _register(self) -> bool:
        if not self._is_failing:
            narrate(
                "node_register",
                "Registering node {node_id} at {target}",
                node_id=self._settings.node_id,
                target=self._url,
            )
        try:
            await self._ask_to_join()
        except HopError as error:
            if self._is_first_failure():
                narrate(
                    "error",
                    "Registration at {target} failed: {error_kind}",
                    level="warn",
                    target=self._url,
                    error_kind=error.code or error.kind,
                )
            return False
        self._is_registered = True
        return True

    async def _ask_to_join(self) -> None:
        while True:
            try:
                await self._hop.call(
                    "POST",
                    f"{self._url}/v2/nodes/register",
                    {
                        "node_id": self._settings.node_id,
                        "address": self._address,
                        "pool_id": self._settings.pool_id,
                        "instance": identity().instance,
                        "heartbeat_ms": round(self._settings.heartbeat * 1000),
                    },
                    timeout=self._patience,
                )
            except HopError as error:
                if error.kind != "ECONNREFUSED" or self._clock() >= self._join_until:
                    raise
            else:
                return
            await asyncio.sleep(_JOIN_PAUSE)

    async def _beat(self) -> None:
        capacity = self._capacity()
        self._tell_change(capacity["slots"])
        try:
            await self._hop.call(
                "POST",
                f"{self._url}/v2/nodes/{self._settings.node_id}/heartbeat",
                {"instance": identity().instance, **capacity},
                timeout=self._patience,
            )
        except HopError as error:
            if error.status == 404:
                self._is_registered = False
                self._news.set()
            if self._is_first_failure():
                narrate(
                    "error",
                    "Heartbeat to {target} failed: {error_kind}",
                    level="warn",
                    target=self._url,
                    error_kind=error.code or error.kind,
                )
            return
        if self._is_failing:
            self._is_failing = False
            narrate("heartbeat_recover", "Heartbeat to {target} is back", target=self._url)

    def _tell_change(self, slots: int) -> None:
        causes, self._causes = self._causes, []
        if slots == self._slots:
            # A worker that reported twice changed nothing. Left on the trail, its event would
            # travel with the heartbeat, and the orchestrator name a cause of another request.
            return
        self._slots = slots
        context = current_context()
        assert context is not None, "bound around the whole membership"
        context.trail.follow(*causes)
        narrate(
            "capacity_report",
            "Reporting {slots} slots of node {node_id}",
            node_id=self._settings.node_id,
            slots=slots,
        )

    @property
    def _patience(self) -> float:
        return max(2.0, 2 * self._settings.heartbeat)

    def _is_first_failure(self) -> bool:
        """Say ``True`` once for each outage: its length shows in the time until the recovery."""
        was_failing, self._is_failing = self._is_failing, True
        return not was_failing
