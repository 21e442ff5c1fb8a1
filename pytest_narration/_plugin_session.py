"""What one pytest process knows about narration: its recorder and whose turn it is.

It is made by the first fixture or option that needs it and lives in ``config.stash``. Under xdist
each worker is such a process, with a recorder, and a cluster, of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from ._plugin_capture import Capture, Threads, record
from ._plugin_judge import Policy, policy_of
from ._plugin_narration import Narration
from .recorder import Recorder

__all__ = ["Session", "is_in_use", "session_of"]

_KEY = pytest.StashKey["Session"]()

_NO_CLUSTER = """\
narration_cluster: this project has not said how its services start. Describe them in \
pyproject.toml, in tables [tool.narration.cluster.services.NAME]; or set the ini option \
narration_cluster = "package.module:factory" to a function that takes the recorder and returns a \
context manager, which starts the services, feeds the recorder from them and stops them; or \
override the fixture in conftest.py."""


class Session:
    """The recorder of a pytest process, the running test, and who is watched."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.policy = policy_of(config)
        self.recorder = _recorder(self.policy)
        self.recorders = [self.recorder]
        """Every recorder that counts: the session's, then those that tests brought."""
        self.threads = Threads()
        self.nodeid = ""
        """The running test, empty between tests."""
        self.mark = 0
        """Where the running test began in the recorder."""
        self.spans: list[tuple[int, int]] = []
        """Spans of the recorder that belong to no test: a cluster's start and stop."""
        self._captures: dict[str, Capture] = {}
        self._unsubscribe: Callable[[], None] | None = None

    def begin(self, nodeid: str) -> None:
        """Take note that a test begins."""
        self.nodeid, self.mark = nodeid, self.recorder.mark()

    def listen(self) -> None:
        """Record what this process narrates, until the session ends."""
        if self._unsubscribe is None:
            from .emit import subscribe

            def take(line: bytes, context: object) -> None:
                record(line, self.recorder)

            self._unsubscribe = subscribe(take)

    def close(self) -> None:
        """Stop listening."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def evidence(self) -> Narration:
        """Return what was recorded since the running test began."""
        return Narration(self.recorder, self.policy, self.mark)

    def captured(self, nodeid: str) -> Capture | None:
        """Return the test's in-process capture, while it has one."""
        return self._captures.get(nodeid)

    def narration(self, nodeid: str) -> Iterator[Narration]:
        """Body of the fixture ``narration``."""
        self.listen()
        mark = self.mark if nodeid == self.nodeid else self.recorder.mark()
        yield Narration(self.recorder, self.policy, mark, self.recorders)

    def capture(self, nodeid: str) -> Iterator[Capture]:
        """Body of the fixture ``narration_capture``."""
        with Capture(
            _recorder(self.policy), self.policy, threads=self.threads, also=self._listeners
        ) as capture:
            self._captures[nodeid] = capture
            try:
                yield capture
            finally:
                del self._captures[nodeid]

    def _listeners(self) -> list[Recorder]:
        return [self.recorder] if self._unsubscribe else []

    def cluster(self) -> Iterator[Any]:
        """Body of the fixture ``narration_cluster``."""
        __tracebackhide__ = True
        name = self.config.getini("narration_cluster")
        factory = _factory(name) if name else _described(self.config)
        began = self.recorder.mark()
        with _context_manager(name, factory(self.recorder)) as cluster:
            self.spans.append((began, self.recorder.mark()))
            # The test that happens to be the first one did not ask for the start's events.
            self.mark = self.recorder.mark()
            yield cluster
            ending = self.recorder.mark()
        self.spans.append((ending, self.recorder.mark()))


def session_of(config: pytest.Config) -> Session:
    """Return the session's state, made on first use together with the hooks that serve it."""
    session = config.stash.get(_KEY, None)
    if session is None:
        from ._plugin_watch import Watch

        session = config.stash[_KEY] = Session(config)
        config.pluginmanager.register(Watch(session), "narration-watch")
        config.add_cleanup(session.close)
    return session


def _recorder(policy: Policy) -> Recorder:
    from .explain import waited

    return Recorder(mapping=policy.mapping, formats=policy.formats, explain=waited)


def is_in_use(config: pytest.Config) -> bool:
    """Whether anything of this process asked for narration so far."""
    return _KEY in config.stash


def _described(config: pytest.Config) -> Callable[[Recorder], object]:
    """Return what starts the services of the project's ``[tool.narration.cluster]``."""
    __tracebackhide__ = True
    from .cluster import cluster_settings, configured_cluster
    from .errors import ConfigurationError

    try:
        if cluster_settings(config.rootpath, own=policy_of(config).formats).is_empty:
            raise pytest.UsageError(_NO_CLUSTER)
        return lambda recorder: configured_cluster(recorder, config.rootpath)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


def _factory(name: str) -> Callable[[Recorder], object]:
    __tracebackhide__ = True
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise pytest.UsageError(
            f"ini option narration_cluster: {name!r} is not of the form package.module:factory"
        )
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise pytest.UsageError(
            f"ini option narration_cluster = {name!r}: {module} cannot be imported: {error} "
            "(the ini option pythonpath adds folders to the path)"
        ) from error
    try:
        factory = getattr(found, attribute)
    except AttributeError as error:
        raise pytest.UsageError(
            f"ini option narration_cluster = {name!r}: module {module} has no {attribute!r}"
        ) from error
    if not callable(factory):
        raise pytest.UsageError(
            f"ini option narration_cluster = {name!r}: {attribute} is not callable; expected a "
            "function that takes the recorder and returns a context manager"
        )
    return factory  # type: ignore[no-any-return]  # what a project's own module holds


def _context_manager(name: str, made: object) -> AbstractContextManager[Any]:
    __tracebackhide__ = True
    if not isinstance(made, AbstractContextManager):
        raise pytest.UsageError(
            f"ini option narration_cluster = {name!r}: the factory returned "
            f"{type(made).__name__}, not a context manager"
        )
    return made
