"""A subprocess's output -> events; and any stream of bytes that somebody else opened.

The process runs in a session of its own, so that it ends with everything it started.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import selectors
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal, Self

from ..errors import SourceError, WaitTimeout
from ..recorder import Ending, Recorder
from .source import Intake, Mapped, Source

__all__ = ["ProcessSource", "StreamSource"]

_CHUNK = 256 * 1024
_PIPE_BYTES = 256 * 1024
"""What a pipe holds while the threads of a busy test keep ours from reading.

Linux gives all pipes of a user 64 MiB together, and tiny ones beyond.
"""
_TICK = 0.2
"""Seconds between looks at whether the process still lives while it is silent."""
_LINGER = 2.0
"""Seconds that a child may hold the output open, silently, after the process has ended."""


class ProcessSource(Source):
    """Starts a program and reads what it prints.

    :param args: the command line: a program and its arguments, without a shell.
    :param name: the service's name in reports, and of events that name no service.
    :param env: variables added to this process's own; ``None`` as a value removes one.
    :param stderr: ``"read"`` reads events from it too; ``"merge"`` makes it one stream with
        stdout; ``"keep"`` only keeps its last lines for messages.
    """

    def __init__(
        self,
        args: Sequence[str | int | os.PathLike[str]],
        name: str,
        recorder: Recorder,
        *,
        env: Mapping[str, str | int | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stderr: Literal["read", "merge", "keep"] = "read",
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name, recorder)
        self.args = _command(args)
        self._env: dict[str, str | None] = {"PYTHONUNBUFFERED": "1", **os.environ}
        self._env |= {key: _text(value) for key, value in (env or {}).items()}
        self._cwd = cwd
        self._stderr = stderr
        self._out = self._intake(format, mapping)
        self._err = self._intake(format, mapping, label=":stderr")
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def pid(self) -> int | None:
        """Its process id; ``None`` before it was started."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        return self._process.poll() if self._process else None

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines of its stderr, then of its stdout."""
        return [*self._err.lines(count), *self._out.lines(count)][-count:]

    def start(self) -> Self:
        """Start the program and begin to read.

        :raises SourceError: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                self.args,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if self._stderr == "merge" else subprocess.PIPE,
                env={key: value for key, value in self._env.items() if value is not None},
                cwd=self._cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceError(
                f"cannot start {self.name}: {' '.join(self.args)}: {error}"
            ) from error
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                _widen(pipe.fileno())
        atexit.register(self._signal, signal.SIGKILL)
        self.recorder.attach(self.name, self._process.poll, self.lines, announces_end=True)
        return super().start()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), without waiting."""
        self._stopping.set()
        if self.returncode is None:
            self._signal(signal.SIGTERM, group=False)

    def kill(self) -> None:
        """End it and everything it started at once (SIGKILL), without waiting."""
        self._stopping.set()
        self._killed = True
        self._signal(signal.SIGKILL)

    def stop(self, timeout: float = 10.0) -> Ending | None:
        """End it: SIGTERM, and SIGKILL for all of its session after ``timeout`` seconds."""
        if self._process is None:
            return None
        self.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(timeout)
        ending = self.wait(timeout + _LINGER)
        self._signal(signal.SIGKILL)  # what it started and left behind
        atexit.unregister(self._signal)
        return ending

    def _signal(self, number: int, group: bool = True) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self._process.pid, number)

    def _run(self) -> Ending:
        process = self._process
        assert process is not None
        with selectors.DefaultSelector() as selector:
            for pipe, intake in ((process.stdout, self._out), (process.stderr, self._err)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, intake)
            held_open = not self._read(process, selector)
        self._out.finish()
        if self._stderr == "read":
            self._err.finish()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        code = process.wait()
        return self._judge(code, held_open)

    def _read(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> bool:
        """Read until both pipes are at their end; False when a child holds them open for ever."""
        silent = 0.0
        while selector.get_map():
            ready = selector.select(_TICK)
            silent = 0.0 if ready else silent + _TICK
            if not ready and process.poll() is not None and silent >= _LINGER:
                return False
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                intake: Intake = key.data
                if not chunk:
                    selector.unregister(key.fileobj)
                elif intake is self._err and self._stderr == "keep":
                    intake.keep(chunk)
                else:
                    intake.feed(chunk)
        return True

    def _judge(self, code: int, held_open: bool) -> Ending:
        if self._killed:
            return self._cut_off("killed")
        if code < 0 and not (self._stopping.is_set() and -code == signal.SIGTERM):
            return self._cut_off(f"killed by {signal.Signals(-code).name}")
        if held_open:
            return self._cut_off(f"exit code {code}; a child of it still holds the output open")
        return self._complete(f"exit code {code}" if code >= 0 else "ended by SIGTERM")

    def _seen(self) -> str:
        code = self.returncode
        state = "it runs" if code is None else f"its exit code is {code}"
        # Late: only a time-out needs it. A message goes to more places than a log.
        from ..emit.redaction import Redactor

        clean = Redactor().clean
        return f"{state}; its last lines:\n" + "\n".join(f"  {clean(t)}" for t in self.lines(5))


def _widen(descriptor: int) -> None:
    """Let a pipe hold more, where the system has such a setting and allows it."""
    with contextlib.suppress(AttributeError, OSError):
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _command(args: Sequence[str | int | os.PathLike[str]]) -> list[str]:
    if isinstance(args, str | bytes):
        text = os.fsdecode(args)
        raise SourceError(
            f"args is the string {text!r}; expected a list of a program and its arguments, such as "
            f"{shlex.split(text)}"
        )
    if not args:
        raise SourceError("args is empty; expected a program and its arguments")
    return [str(arg) if isinstance(arg, int) else os.fspath(arg) for arg in args]


def _text(value: str | int | None) -> str | None:
    return str(value) if isinstance(value, int) else value


class StreamSource(Source):
    """Reads a file object to its end: a pipe, a socket's file, ``io.BytesIO``.

    Text objects are taken too. The object stays the caller's: it is not closed.
    """

    def __init__(
        self,
        fileobj: IO[Any],
        name: str,
        recorder: Recorder,
        *,
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name, recorder)
        self._file = fileobj
        self._into = self._intake(format, mapping)

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines that were read."""
        return self._into.lines(count)

    def stop(self, timeout: float = 10.0) -> Ending | None:
        """Stop reading; an object that blocks for ever is left to its thread."""
        try:
            return super().stop(timeout)
        except WaitTimeout:
            return None

    def _run(self) -> Ending:
        try:
            for chunk in self._chunks():
                self._into.feed(chunk)
        except (OSError, ValueError) as error:  # ValueError: the file was closed under us
            self._into.finish()
            return self._cut_off(str(error))
        self._into.finish()
        if self._stopping.is_set():
            return self._complete("stopped before the end of the stream")
        return self._complete()

    def _chunks(self) -> Any:
        try:
            descriptor = self._file.fileno()
            with selectors.DefaultSelector() as selector:
                selector.register(descriptor, selectors.EVENT_READ)
                _widen(descriptor)
                yield from self._read_pipe(descriptor, selector)
        except (OSError, AttributeError, ValueError):
            # No descriptor, or one that cannot be waited for, such as a regular file's.
            yield from self._read_object()

    def _read_pipe(self, descriptor: int, selector: selectors.BaseSelector) -> Any:
        while True:
            if selector.select(0 if self._stopping.is_set() else _TICK):
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                yield chunk
            elif self._stopping.is_set():
                return

    def _read_object(self) -> Any:
        read = getattr(self._file, "read1", self._file.read)
        while chunk := read(_CHUNK):
            yield chunk.encode("utf-8", "surrogateescape") if isinstance(chunk, str) else chunk
