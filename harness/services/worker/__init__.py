"""The GPU worker: a prompt in, a narrated stream of tokens out.

``python -m harness.services.worker`` starts it. The pool manager's engine provisioner spawns it
and is its only caller. Requests arrive in :mod:`.app`, are checked by :mod:`.requests`, wait and
decode in :mod:`.backend`, whose thread drives :mod:`.batch` over :mod:`.model`.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
