"""What a request meets besides success: order, cancellation, bad networks, strangers, secrets."""

from __future__ import annotations

from pytest_bdd import scenarios

from steps.cancelling import *  # noqa: F403 - phrases are taken whole
from steps.streams import *  # noqa: F403

scenarios("ordering", "cancellation", "reconnect")
