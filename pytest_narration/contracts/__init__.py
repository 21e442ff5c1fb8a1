"""Which contract an event has to keep, by its name; whether it does; what a change would break.

:class:`Contracts` maps names of events to payload schemas and to the ids that must be there: for
the common events of :mod:`pytest_narration.schema`, and for a project's own by
``[tool.narration.contracts]``. The rule ``contract``, strict emitting (``NARRATION_VALIDATE``) and
``narration contracts`` judge by it. :mod:`.compatibility` compares two versions of a schema.
"""

from __future__ import annotations

from ..schema import Problem
from .compatibility import Change, Comparison, compare
from .mapping import BUILTIN, Contracts, Entry
from .project import find, read

__all__ = [
    "BUILTIN",
    "Change",
    "Comparison",
    "Contracts",
    "Entry",
    "Problem",
    "compare",
    "find",
    "read",
]
