"""How the cluster's services come to life: one protocol, whatever they run in.

Features and the cluster know :class:`Launcher` and :class:`Service` only; local processes are in
:mod:`.local`.
"""

from .at_once import at_once
from .protocol import Launcher, Service, Spec

__all__ = ["Launcher", "Service", "Spec", "at_once"]
"""Names of the seam; the implementations are imported by who chooses one."""
