"""What the steps of one scenario share: services, requests, streams, jobs and saved values.

The fixture ``narration_scene`` is one; a project's own steps may ask for it too.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin

from ..cluster import Cluster, ClusterSettings, Service, ServiceSettings, cluster_settings
from ..errors import ClusterError, EmitterDied, StepFailed, StepMistake, WaitTimeout
from ..sources import FileSource, SseSource
from .exchange import Answer, Body, Client
from .json_path import JsonPath

if TYPE_CHECKING:
    import pytest

    from .._plugin_judge import Policy
    from ..coverage.catalog import Catalog
    from ..fixtures import Narration
    from ..formats import Format

__all__ = ["Job", "Scene", "services_of"]

_SAVED = re.compile(r"\$\{([^{}]*)\}")
_JOB_KEYS = ("job_id", "jobId", "id", "task_id", "taskId")
_STREAM_KEYS = ("sse_url", "stream_url", "streamUrl", "events_url")
_REFUSALS = frozenset(range(201, 600)) - {204}
_READ_SECONDS = 30.0
_QUIET_SECONDS = 0.2
_LAST_SECONDS = 1.0
_LAST_QUIET_SECONDS = 0.1


class Job(NamedTuple):
    """A job that a service took on."""

    job_id: str
    stream_url: str
    answer: Answer


class Scene:
    """One scenario as it goes."""

    def __init__(self, request: pytest.FixtureRequest, ends: ExitStack) -> None:
        self._request = request
        self._ends = ends
        self.patience = 5.0
        """Seconds that a step waits for what must come, unless it says ``within``."""
        self.answers: list[Answer] = []
        self.streams: list[SseSource] = []
        self.jobs: list[Job] = []
        self.saved: dict[str, str] = {}
        self.sent_with: dict[str, str] = {}
        """Headers of every request."""
        self.ended_on_purpose: set[str] = set()
        """Names of services that the scenario itself stopped."""
        self.job_id_at: JsonPath | None = None
        self.stream_at = ""
        self._services: dict[str, Any] = {}
        self._base = ""
        self._names: dict[str, SseSource] = {}
        self._settled_at: tuple[int, ...] = ()

    # What it looks at

    @cached_property
    def narration(self) -> Narration:
        """What was narrated since the scenario began."""
        # Asked for on first use: a cluster that the first step starts is not the scenario's doing.
        found: Narration = self._request.getfixturevalue("narration")
        return found

    @cached_property
    def settings(self) -> ClusterSettings:
        """What the project's ``pyproject.toml`` says."""
        return cluster_settings(self._request.config.rootpath, own=self.formats)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The project's own log formats."""
        return self._policy.formats

    @property
    def _policy(self) -> Policy:
        from .._plugin_judge import policy_of

        return policy_of(self._request.config)

    @property
    def catalog(self) -> Catalog:
        """The project's declared points.

        :raises StepMistake: there is no catalog.
        """
        catalog = self._policy.catalog
        if catalog is None:
            raise StepMistake(
                "the project has no catalog of points: name one with the ini option "
                "narration_catalog, or make narration.toml with `narration catalog`"
            )
        return catalog

    def fixture(self, name: str) -> Any:
        """Return the value of a fixture."""
        return self._request.getfixturevalue(name)

    def settle(self, timeout: float) -> None:
        """Wait until no job is open and nothing has arrived for a moment.

        :raises WaitTimeout: a job stays open or lines keep coming.
        """
        __tracebackhide__ = True
        self.narration.settle(max(self.patience, timeout), _QUIET_SECONDS)
        self._settled_at = self._now

    def hear_out(self) -> None:
        """Wait, at the scenario's end, for lines on their way: the next one must not have them."""
        if "narration" not in vars(self):
            return  # nothing was asked of the services
        if self._settled_at == self._now or not self.narration.recorder.can_grow():
            return
        with suppress(WaitTimeout, EmitterDied):
            self.narration.settle(_LAST_SECONDS, _LAST_QUIET_SECONDS)

    @property
    def _now(self) -> tuple[int, ...]:
        return len(self.answers), len(self.streams), self.narration.mark()

    # Services

    def use(self, services: Mapping[str, Any]) -> None:
        """Know services by name; the first that has an address is the one that requests go to."""
        self._services |= services
        if not self._base:
            self._base = next((url for s in services.values() if (url := _url(s))), "")

    @cached_property
    def _own(self) -> Cluster:
        cluster = Cluster(
            ClusterSettings(self.settings.root, mapping=self.settings.mapping),
            self.narration.recorder,
        )
        self._ends.callback(cluster.stop)
        return cluster

    def start(self, settings: ServiceSettings) -> Service:
        """Start a service that lives as long as the scenario."""
        service = self._own.add(settings)
        self.use({service.name: service})
        return service

    def attach(self, compose: str) -> None:
        """Read the services of a running Docker compose project until the scenario ends."""
        settings = ClusterSettings(self.settings.root, (), compose, self.settings.mapping)
        cluster = self._ends.enter_context(Cluster(settings, self.narration.recorder))
        self.use(cluster.services)

    def service(self, name: str) -> Any:
        """Return a service by name.

        :raises StepMistake: there is none of that name.
        """
        if name not in self._services:
            known = ", ".join(f'"{n}"' for n in self._services) or (
                "none yet: a Given step starts or names them"
            )
            raise StepMistake(f'there is no service "{name}"; services are: {known}')
        return self._services[name]

    def read_log(self, path: str, name: str, *, follow: bool, format: str = "auto") -> None:
        """Read a log file as the output of a service: to its end, or on until the scenario ends."""
        full = self.settings.root / path
        if not full.is_file():
            raise StepMistake(f"there is no log file {full}")
        source = FileSource(
            full,
            name,
            self.narration.recorder,
            follow=follow,
            format=format,
            mapping=self.settings.mapping or None,
        )
        source.start()
        self._ends.callback(source.stop)
        if not follow:
            source.wait(_READ_SECONDS)

    # Requests

    @cached_property
    def _client(self) -> Client:
        client = Client(self.narration, self.sent_with)
        self._ends.callback(client.close)
        return client

    def requests_go_to(self, service: str) -> None:
        """Choose where requests go that name no service."""
        self._base = _url(self.service(service))
        if not self._base:
            raise StepMistake(f'the service "{service}" has no address: no port and no url')

    def url(self, path: str, service: str | None = None) -> str:
        """Return the address of a path.

        :raises StepMistake: no service has one.
        """
        base = self._base if service is None else _url(self.service(service))
        found = urljoin(f"{base}/", path.removeprefix("/")) if base else path
        if not found.startswith(("http://", "https://")):
            raise StepMistake(
                f'"{path}" goes nowhere: no service with an address is known. Start or name one '
                'with a Given step, or write the whole address ("http://…")'
            )
        return found

    def send(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        json: Any = None,
        to: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and remember the answer.

        :param json: what to send as JSON, in place of a body.
        :param to: name of the service; by default the one that requests go to.
        """
        body = body if json is None else Body.json(json)
        answer = self._client.send(method, self.url(path, to), body or Body(), dict(headers or {}))
        self.answers.append(answer)
        return answer

    @property
    def answer(self) -> Answer:
        """The latest answer.

        :raises StepMistake: there is none.
        """
        if not self.answers:
            raise StepMistake("no request was sent in this scenario, so there is no answer")
        return self.answers[-1]

    @property
    def correlation_id(self) -> str:
        """Of the latest request.

        :raises StepFailed: neither the request nor its answer carries one.
        """
        found = self.answer.correlation_id
        if found is None:
            raise StepFailed(
                "the request has no correlation id: neither it nor its answer has a header "
                f"X-Correlation-Id or X-Request-Id. {self.answer}"
            )
        return found

    # Jobs and streams

    def submit(self, path: str, body: Body) -> Job:
        """Send a job and remember it.

        :raises StepFailed: it was refused.
        :raises StepMistake: its id is not in the answer.
        """
        answer = self.send("POST", path, body)
        if not answer.response.is_success:
            raise StepFailed(f"the job was refused: {answer}")
        document = answer.json()
        job_id = self._job_id(document)
        if job_id is None:
            where = repr(self.job_id_at) if self.job_id_at else ", ".join(_JOB_KEYS)
            raise StepMistake(
                f"the answer has no job id (looked at {where}): {answer}\n"
                'Say where it is: Given a job\'s id is at "$.path" of the answer'
            )
        job = Job(str(job_id), "", answer)
        job = job._replace(stream_url=self._stream_url(path, job, document))
        self.jobs.append(job)
        return job

    def _job_id(self, document: Any) -> Any:
        if self.job_id_at is not None:
            return self.job_id_at.value(document)
        members = document if isinstance(document, dict) else {}
        return next((members[key] for key in _JOB_KEYS if members.get(key)), None)

    def _stream_url(self, path: str, job: Job, document: Any) -> str:
        members = document if isinstance(document, dict) else {}
        told = next((members[key] for key in _STREAM_KEYS if members.get(key)), None)
        if self.stream_at:
            told = self.stream_at.replace("{job_id}", job.job_id)
        sent_to = str(job.answer.response.request.url)
        return urljoin(sent_to, str(told)) if told else f"{sent_to.rstrip('/')}/{job.job_id}/stream"

    @property
    def job(self) -> Job:
        """The latest job.

        :raises StepMistake: there is none.
        """
        if not self.jobs:
            raise StepMistake("no job was submitted in this scenario")
        return self.jobs[-1]

    def open_stream(
        self,
        url: str,
        *,
        name: str | None = None,
        method: str = "GET",
        json: Any = None,
        job_id: str | None = None,
        last_event_id: str = "",
    ) -> SseSource:
        """Open a stream; it is read in the background from then on, until the scenario ends."""
        stream = SseSource(
            url,
            self.narration.recorder,
            headers=self.sent_with,
            name=name or f"stream {len(self.streams) + 1}",
            job_id=job_id,
            method=method,
            json=json,
            # A refusal is an answer: the steps that follow judge it.
            expect=_REFUSALS,
            reconnect=False,
            last_event_id=last_event_id,
            mapping=self.settings.mapping or None,
        )
        stream.start()
        self._ends.callback(stream.stop)
        stream.wait_open(max(self.patience, 5.0))
        self.streams.append(stream)
        if name is not None:
            self._names[name] = stream
        return stream

    @property
    def stream(self) -> SseSource:
        """The stream that was opened last.

        :raises StepMistake: there is none.
        """
        if not self.streams:
            raise StepMistake("no stream was opened in this scenario")
        return self.streams[-1]

    def look_at_stream(self, name: str) -> None:
        """Make the stream of that name the one that steps speak of."""
        if name not in self._names:
            known = ", ".join(f'"{n}"' for n in self._names) or "none has a name"
            raise StepMistake(f'there is no stream "{name}"; streams are: {known}')
        self.streams.append(self._names[name])

    # Saved values

    def fill(self, text: str, *, escape: bool = False) -> str:
        """Return the text with ``${name}`` replaced by what was saved under the name.

        :param escape: whether the text is JSON, in whose strings the values stand.
        :raises StepMistake: nothing was saved under a name.
        """

        def value(match: re.Match[str]) -> str:
            found = self._value(match[1])
            return json.dumps(found, ensure_ascii=False)[1:-1] if escape else found

        return _SAVED.sub(value, text)

    def _value(self, name: str) -> str:
        known: dict[str, Callable[[], str]] = {
            "correlation_id": lambda: self.correlation_id,
            "job_id": lambda: self.job.job_id,
            "uuid": lambda: str(uuid.uuid4()),
        }
        if name == "n":
            return "${n}"  # the number of one of many requests, put in by their step
        if name in self.saved:
            return self.saved[name]
        if name in known:
            return known[name]()
        kind, _, rest = name.partition(":")
        if kind == "env" and rest:
            if rest not in os.environ:
                raise StepMistake(f"${{{name}}}: the environment has no variable {rest}")
            return os.environ[rest]
        if kind == "url" and rest:
            return self.url("/", rest).rstrip("/")
        names = ", ".join(f"${{{n}}}" for n in (*self.saved, *known, "env:NAME", "url:SERVICE"))
        raise StepMistake(f"${{{name}}} was not saved in this scenario; there are: {names}")


def services_of(cluster: Any) -> dict[str, Any]:
    """Return ``{name: service}`` of whatever the fixture ``narration_cluster`` gives."""
    services = getattr(cluster, "services", ())
    every: Iterator[Any] = iter(services.values() if isinstance(services, Mapping) else services)
    found = {s.name: s for s in every if hasattr(s, "name")}
    if not found and hasattr(cluster, "url"):
        found = {"cluster": cluster}
    return found


def _url(service: Any) -> str:
    try:
        return str(getattr(service, "url", "") or "")
    except ClusterError:
        return ""
