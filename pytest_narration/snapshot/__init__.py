"""Stories -> files that people approve and review: the document, its differences, the fixture.

Making and reading documents needs no library; comparing with approved ones needs syrupy, which is
imported with :mod:`.approval` and :mod:`.extension` only.
"""

from __future__ import annotations

from .differences import differences, short_diff
from .document import LEVELS, Form, Level, Manner, document
from .mermaid import mermaid
from .reading import is_story, read
from .settings import StorySettings

__all__ = [
    "LEVELS",
    "Form",
    "Level",
    "Manner",
    "StorySettings",
    "differences",
    "document",
    "is_story",
    "mermaid",
    "read",
    "short_diff",
]
