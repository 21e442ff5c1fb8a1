"""What was seen: sets that merge, and the versioned ``.narration-coverage`` file.

The collector fills a :class:`CoverageData`, workers and shards each bring one, and results are
computed from their union. Every part is a set or takes the smaller of two, so that merging is
associative, commutative and idempotent: any number of shards, in any order, also one given twice,
gives the figure of one run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..errors import CoverageDataError
from .catalog import Hop, Signature

__all__ = ["FORMAT", "SESSION", "VERSION", "CoverageData", "Evidence", "Sighting"]

FORMAT = "narration-coverage"
VERSION = 1
SESSION = "(session)"
"""The context of what belongs to no test: a cluster's start and stop."""


class _Head(msgspec.Struct):
    """What is read first of a file: whether it is one of ours."""

    format: str = ""
    version: Any = None


_Indexes = list[Annotated[int, msgspec.Meta(ge=0)]]
"""Tests, by their place in ``contexts``."""


class _Document(msgspec.Struct):
    """The file's shape, see :meth:`CoverageData.to_json`."""

    catalogs: set[str]
    capabilities: dict[str, bool]
    contexts: list[str]
    sightings: list[tuple[str, str, str, str, str, tuple[str, ...], _Indexes]]
    evidence: list[tuple[str, str, str, str, str, str, str, str, str, str]]
    hops: list[tuple[str, str, _Indexes]]


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """A signature seen on a channel, with the id fields that one event carried."""

    signature: Signature
    channel: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """The first event of a signature on a channel, for people to look at."""

    timestamp: str
    event_id: str
    human: str
    source: str
    context: str


@dataclass(slots=True)
class CoverageData:
    """Everything that a run, or a part of one, saw."""

    sightings: dict[Sighting, set[str]] = field(default_factory=dict)
    """``{sighting: {test node id, ...}}``"""
    evidence: dict[tuple[Signature, str], Evidence] = field(default_factory=dict)
    """``{(signature, channel): first event}``"""
    hops: dict[Hop, set[str]] = field(default_factory=dict)
    """``{(service, service): {test node id, ...}}``"""
    capabilities: dict[str, bool] = field(default_factory=dict)
    """``{capability: present}``; present on one machine is present."""
    catalogs: set[str] = field(default_factory=set)
    """Paths of the catalogs that the run was measured against."""

    def __bool__(self) -> bool:
        return bool(self.sightings)

    def see(self, sighting: Sighting, context: str, evidence: Evidence | None = None) -> None:
        """Add one sighting."""
        self.sightings.setdefault(sighting, set()).add(context)
        if evidence is not None:
            self._first((sighting.signature, sighting.channel), evidence)

    def cross(self, hop: Hop, context: str) -> None:
        """Add one crossing from a service to another."""
        self.hops.setdefault(hop, set()).add(context)

    def _first(self, key: tuple[Signature, str], evidence: Evidence) -> None:
        known = self.evidence.get(key)
        if known is None or evidence < known:
            self.evidence[key] = evidence

    def update(self, other: CoverageData) -> None:
        """Merge ``other`` into this one."""
        for sighting, contexts in other.sightings.items():
            self.sightings.setdefault(sighting, set()).update(contexts)
        for key, evidence in other.evidence.items():
            self._first(key, evidence)
        for hop, contexts in other.hops.items():
            self.hops.setdefault(hop, set()).update(contexts)
        for name, present in other.capabilities.items():
            self.capabilities[name] = self.capabilities.get(name, False) or present
        self.catalogs |= other.catalogs

    @classmethod
    def merged(cls, parts: Iterable[CoverageData]) -> CoverageData:
        """Return the union of the parts."""
        whole = cls()
        for part in parts:
            whole.update(part)
        return whole

    @property
    def contexts(self) -> frozenset[str]:
        """Every test that saw something."""
        return frozenset(c for contexts in self.sightings.values() for c in contexts)

    def to_json(self) -> str:
        """Return the data as JSON text; equal data gives equal text."""
        contexts = sorted(self.contexts | {c for hop in self.hops.values() for c in hop})
        number = {context: index for index, context in enumerate(contexts)}
        document = {
            "format": FORMAT,
            "version": VERSION,
            "catalogs": sorted(self.catalogs),
            "capabilities": dict(sorted(self.capabilities.items())),
            "contexts": contexts,
            "sightings": [
                [*s.signature, s.channel, list(s.ids), sorted(number[c] for c in seen)]
                for s, seen in sorted(self.sightings.items())
            ],
            "evidence": [
                [*signature, channel, e.timestamp, e.event_id, e.human, e.source, e.context]
                for (signature, channel), e in sorted(self.evidence.items())
            ],
            "hops": [
                [*hop, sorted(number[c] for c in seen)] for hop, seen in sorted(self.hops.items())
            ],
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str = "coverage data") -> CoverageData:
        """Read what :meth:`to_json` wrote.

        :raises CoverageDataError: the text is something else, damaged, or of another version.
        """
        try:
            head = msgspec.json.decode(text, type=_Head)
        except msgspec.ValidationError:
            head = _Head()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CoverageDataError(f"{where} is not JSON: {error}") from error
        if head.format != FORMAT:
            raise CoverageDataError(f'{where} is not narration coverage: no "format": "{FORMAT}"')
        if head.version != VERSION:
            raise CoverageDataError(
                f"{where} has version {head.version!r} of the format; this release "
                f"reads {VERSION}: make it again, or combine it with the release that wrote it"
            )
        try:
            return cls._from_document(msgspec.json.decode(text, type=_Document))
        except (msgspec.DecodeError, IndexError) as error:
            raise CoverageDataError(f"{where} is damaged: {error}") from error

    @classmethod
    def _from_document(cls, document: _Document) -> CoverageData:
        contexts = document.contexts
        data = cls(capabilities=document.capabilities, catalogs=document.catalogs)
        for service, actor, action, text, channel, ids, seen in document.sightings:
            sighting = Sighting(Signature(service, actor, action, text), channel, ids)
            data.sightings[sighting] = {contexts[index] for index in seen}
        for service, actor, action, text, channel, *rest in document.evidence:
            data.evidence[Signature(service, actor, action, text), channel] = Evidence(*rest)
        for source, target, seen in document.hops:
            data.hops[Hop(source, target)] = {contexts[index] for index in seen}
        return data

    def save(self, path: Path) -> None:
        """Write the file in one step: a reader sees the old or the whole of it.

        :raises CoverageDataError: it cannot be written.
        """
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_text(self.to_json() + "\n", encoding="utf-8")
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise CoverageDataError(
                f"coverage data {path} cannot be written: {error.strerror}"
            ) from error

    @classmethod
    def read(cls, path: Path) -> CoverageData:
        """Read one file.

        :raises CoverageDataError: it cannot be read, is something else, or of another version.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError as error:
            raise CoverageDataError(
                f"coverage data {path} cannot be read: {error.strerror}. A run of pytest "
                "--narration-coverage writes it, in pytest's root directory"
            ) from error
        except OSError as error:
            raise CoverageDataError(
                f"coverage data {path} cannot be read: {error.strerror}"
            ) from error
        return cls.from_json(text, where=f"coverage data {path}")
