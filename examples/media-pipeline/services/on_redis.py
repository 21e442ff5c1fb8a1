"""The same on a Redis server; its keys begin with the name of the pipeline.

A queue is a sorted set of message ids, scored by the time from which they are seen.
"""

import json
import time

import redis

_POLL_SECONDS = 0.02
_TAKE = """
local found = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1], "LIMIT", 0, 1)
if found[1] then redis.call("ZADD", KEYS[1], ARGV[2], found[1]) end
return found[1]
"""  # in one step, so that no two workers take the same message


class RedisBroker:
    """One client, whose connections serve several threads."""

    def __init__(self, pipeline, hidden_seconds, url):
        self._hidden_seconds = hidden_seconds
        self._redis = redis.Redis.from_url(url, decode_responses=True)
        self._prefix = f"media-pipeline:{pipeline}"
        self._take = self._redis.register_script(_TAKE)

    def clear(self):
        """Forget everything."""
        for key in self._redis.scan_iter(f"{self._prefix}:*"):
            self._redis.delete(key)

    def close(self):
        """Forget everything; for the last one that uses it."""
        self.clear()
        self._redis.close()

    def put(self, queue, body, *, delay=0.0):
        """Add a message; it is seen after ``delay`` seconds."""
        number = self._redis.incr(self._key("messages"))
        message_id = f"{queue}/{number:012}"
        self._redis.hset(self._key("bodies"), message_id, json.dumps(body))
        self._redis.zadd(self._key("queue", queue), {message_id: time.time() + delay})

    def take(self, queue, is_stopping):
        """Wait for a message and return ``(id, body)``; ``None`` when the worker stops."""
        while not is_stopping():
            now = time.time()
            keys = [self._key("queue", queue)]
            found = self._take(keys=keys, args=[now, now + self._hidden_seconds])
            if found and (body := self._redis.hget(self._key("bodies"), found)):
                return found, json.loads(body)
            time.sleep(_POLL_SECONDS)
        return None

    def change(self, message_id, body):
        """Say what a message that is taken holds when it comes back."""
        self._redis.hset(self._key("bodies"), message_id, json.dumps(body))

    def done(self, message_id):
        """Remove a message."""
        queue = message_id.partition("/")[0]
        self._redis.zrem(self._key("queue", queue), message_id)
        self._redis.hdel(self._key("bodies"), message_id)

    def add_job(self, job_id, type):
        """Remember a job."""
        self._redis.hset(self._key("job", job_id), mapping={"state": "queued", "type": type})

    def set_job(self, job_id, state):
        """Remember how a job stands."""
        self._redis.hset(self._key("job", job_id), "state", state)

    def job(self, job_id):
        """Return ``(state, type)`` of a job, ``None`` when there is none."""
        found = self._redis.hmget(self._key("job", job_id), ["state", "type"])
        return tuple(found) if found[0] else None

    def add_words(self, job_id, said):
        """Index ``[(speaker, sentence, words), ...]``."""
        for speaker, sentence, words in said:
            for word in words:
                self._redis.sadd(self._key("word", word), json.dumps([job_id, speaker, sentence]))

    def search(self, word):
        """Return ``[(job_id, speaker, sentence), ...]`` of sentences with a word."""
        found = self._redis.smembers(self._key("word", word.lower()))
        return sorted(tuple(json.loads(sentence)) for sentence in found)

    def _key(self, *parts):
        return ":".join((self._prefix, *parts))
