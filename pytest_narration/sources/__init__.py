"""Where events come from: each source fills a recorder and says how it ended.

Every source is a context manager. Those that read in the background do so in a thread of ours,
never on the test's event loop, so a test step that blocks loses nothing.
"""

from __future__ import annotations

from .docker import DockerSource
from .file import FileSource
from .files import FilesSource
from .http_calls import watch
from .inprocess import InProcessSource
from .otlp_http import OtlpSource
from .process import ProcessSource, StreamSource
from .source import Source
from .sse_http import SseSource

__all__ = [
    "DockerSource",
    "FileSource",
    "FilesSource",
    "InProcessSource",
    "OtlpSource",
    "ProcessSource",
    "Source",
    "SseSource",
    "StreamSource",
    "watch",
]
