"""A job's server-sent events: kept while the job runs, read by one reader at a time, resumable.

``JobStream`` is what a job writes into (and what ``narrate`` uses as the job's channel),
``SseResponse`` is what a handler returns for it, ``Upstream`` reads the stream of the next
service. The format is the WHATWG event stream; the grammar is
``started → (narration | token | metrics)* → (end | error)``.
"""

from .buffer import JobStream, Limits, Reader
from .frames import TERMINAL, encode_frame, narration_data
from .response import SseResponse, parse_last_event_id
from .upstream import Frame, FrameSplitter, ProtocolError, Upstream

__all__ = [
    "TERMINAL",
    "Frame",
    "FrameSplitter",
    "JobStream",
    "Limits",
    "ProtocolError",
    "Reader",
    "SseResponse",
    "Upstream",
    "encode_frame",
    "narration_data",
    "parse_last_event_id",
]
