"""Every exception this package raises on purpose.

::

    NarrationError
    ├── CatalogError            a catalog cannot be read or contradicts itself
    ├── CoverageDataError       saved coverage cannot be read or merged
    ├── ConfigurationError      an option or a table in pyproject.toml is wrong
    ├── MissingExtra            an optional library is needed and absent
    ├── SourceError             a source could not be opened
    │   └── SourceUnreachable   nothing answers at the source's address
    ├── ClusterError            a cluster did not start or did not stop
    ├── StepMistake             a step of a scenario is written wrong
    └── (AssertionError)
        ├── WaitTimeout         what was awaited did not happen in time
        ├── PatternFailed       what was awaited can no longer happen
        ├── EmitterDied         the service that was awaited ended
        ├── StepFailed          what a step of a scenario says is not so
        ├── NarrationViolation  rules are broken, or a check is inconclusive
        ├── ContractBroken      an event breaks its contract, and emitting is strict
        └── StoryChanged        a story is not as it was approved

The last seven are also ``AssertionError``: a test that meets one has failed, it is not in error.
"""

from __future__ import annotations

__all__ = [
    "CatalogError",
    "ClusterError",
    "ConfigurationError",
    "ContractBroken",
    "CoverageDataError",
    "EmitterDied",
    "MissingExtra",
    "NarrationError",
    "NarrationViolation",
    "PatternFailed",
    "SourceError",
    "SourceUnreachable",
    "StepFailed",
    "StepMistake",
    "StoryChanged",
    "WaitTimeout",
]


class NarrationError(Exception):
    """Base of everything this package raises on purpose."""


class CatalogError(NarrationError):
    """A catalog of points cannot be read or contradicts itself."""


class CoverageDataError(NarrationError):
    """Saved coverage cannot be read, or is of a version that cannot be merged."""


class ConfigurationError(NarrationError):
    """An option, an ini value or a table of ``pyproject.toml`` is wrong."""


class MissingExtra(NarrationError):
    """An optional library is needed and absent.

    :param package: the distribution that is missing, such as ``"docker"``.
    :param extra: the extra of pytest-narration that installs it; empty for a library that only
        its own users want.
    """

    def __init__(self, package: str, extra: str = "") -> None:
        install = f'"pytest-narration[{extra}]"' if extra else package
        super().__init__(
            f"{package} is needed for this and is not installed: pip install {install}"
        )
        self.package = package
        self.extra = extra


class SourceError(NarrationError):
    """A source of events could not be opened or read."""


class SourceUnreachable(SourceError):
    """Nothing answers at the source's address."""


class ClusterError(NarrationError):
    """A cluster did not start or did not stop; the message quotes its last lines."""


class StepMistake(NarrationError):
    """A step of a scenario is written wrong: a value, a table, or what it refers to."""


class StepFailed(NarrationError, AssertionError):
    """What a step of a scenario says is not so; the message says what was found instead."""


class WaitTimeout(NarrationError, AssertionError):
    """What was awaited did not happen in time; the message says what was seen instead."""


class PatternFailed(NarrationError, AssertionError):
    """What was awaited can no longer happen: something came that must not come, or too late."""


class EmitterDied(NarrationError, AssertionError):
    """A service ended while something was awaited from it."""


class NarrationViolation(NarrationError, AssertionError):
    """One or more rules are broken, or could not be judged."""


class ContractBroken(NarrationError, AssertionError):
    """An event breaks its contract, and ``NARRATION_VALIDATE=strict`` tells its emitter so."""


class StoryChanged(NarrationError, AssertionError):
    """A story is not as it was approved, or nobody approved it yet; the message says what."""
