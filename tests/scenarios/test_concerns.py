"""What a request meets besides success: order, cancellation, bad networks, strangers, secrets."""

from __future__ import annotations

from pytest_bdd import scenarios

from steps.agreements import *  # noqa: F403 - phrases are taken whole
from steps.cancelling import *  # noqa: F403
from steps.front_door import *  # noqa: F403
from steps.in_process import *  # noqa: F403
from steps.secrets import *  # noqa: F403
from steps.slow_readers import *  # noqa: F403
from steps.streams import *  # noqa: F403
from steps.traces import *  # noqa: F403

scenarios(
    "ordering",
    "cancellation",
    "reconnect",
    "backpressure",
    "security",
    "redaction",
    "trace_context",
    "context",
    "contracts",
    "coverage",
    "modes",
)
