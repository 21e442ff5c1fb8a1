"""The queue between the services, the jobs, and the index of what was said.

Without ``QUEUE_URL`` it is embedded; ``redis://host:port/0`` and ``unix:///path/redis.sock`` name a
Redis server. A message that is taken is hidden from others until it is done; one whose worker died
comes back when its time is over.
"""

import os

HIDDEN_SECONDS = 30.0


def broker_of(pipeline):
    """Connect to the broker of one running pipeline."""
    url = os.environ.get("QUEUE_URL", "")
    hidden_seconds = float(os.environ.get("QUEUE_HIDDEN_SECONDS", HIDDEN_SECONDS))
    if url:
        from on_redis import RedisBroker

        return RedisBroker(pipeline, hidden_seconds, url)
    from on_sqlite import SqliteBroker

    return SqliteBroker(pipeline, hidden_seconds)
