"""The embedded broker: one SQLite file that all services of a pipeline share."""

import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

_POLL_SECONDS = 0.02
_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY, queue TEXT NOT NULL, visible_at REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_queue ON messages (queue, visible_at);
CREATE TABLE IF NOT EXISTS jobs (job_id TEXT PRIMARY KEY, state TEXT NOT NULL, type TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL, job_id TEXT NOT NULL, speaker TEXT NOT NULL,
  sentence TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_word ON words (word);
"""


class SqliteBroker:
    """A connection is made for each call: calls come from several threads."""

    def __init__(self, pipeline, hidden_seconds):
        self._hidden_seconds = hidden_seconds
        self._path = Path(tempfile.gettempdir()) / f"media-pipeline-{pipeline}.db"
        with closing(self._connect()) as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.executescript(_TABLES)

    def clear(self):
        """Forget everything."""
        for table in ("messages", "jobs", "words"):
            self._change(f"DELETE FROM {table}")

    def close(self):
        """Remove the file; for the last one that uses it."""
        for file in self._path.parent.glob(f"{self._path.name}*"):
            file.unlink(missing_ok=True)

    def put(self, queue, body, *, delay=0.0):
        """Add a message; it is seen after ``delay`` seconds."""
        self._change(
            "INSERT INTO messages (queue, visible_at, body) VALUES (?, ?, ?)",
            queue,
            time.time() + delay,
            json.dumps(body),
        )

    def take(self, queue, is_stopping):
        """Wait for a message and return ``(id, body)``; ``None`` when the worker stops."""
        while not is_stopping():
            with closing(self._connect()) as base, base:
                base.execute("BEGIN IMMEDIATE")
                found = base.execute(
                    "SELECT id, body FROM messages WHERE queue = ? AND visible_at <= ?"
                    " ORDER BY id LIMIT 1",
                    (queue, time.time()),
                ).fetchone()
                if found:
                    hidden = (time.time() + self._hidden_seconds, found[0])
                    base.execute("UPDATE messages SET visible_at = ? WHERE id = ?", hidden)
            if found:
                return found[0], json.loads(found[1])
            time.sleep(_POLL_SECONDS)
        return None

    def change(self, message_id, body):
        """Say what a message that is taken holds when it comes back."""
        self._change("UPDATE messages SET body = ? WHERE id = ?", json.dumps(body), message_id)

    def done(self, message_id):
        """Remove a message."""
        self._change("DELETE FROM messages WHERE id = ?", message_id)

    def add_job(self, job_id, type):
        """Remember a job."""
        self._change("INSERT INTO jobs VALUES (?, 'queued', ?)", job_id, type)

    def set_job(self, job_id, state):
        """Remember how a job stands."""
        self._change("UPDATE jobs SET state = ? WHERE job_id = ?", state, job_id)

    def job(self, job_id):
        """Return ``(state, type)`` of a job, ``None`` when there is none."""
        found = self._read("SELECT state, type FROM jobs WHERE job_id = ?", job_id)
        return found[0] if found else None

    def add_words(self, job_id, said):
        """Index ``[(speaker, sentence, words), ...]``."""
        rows = [(w, job_id, speaker, text) for speaker, text, words in said for w in words]
        with closing(self._connect()) as base, base:
            base.executemany("INSERT INTO words VALUES (?, ?, ?, ?)", rows)

    def search(self, word):
        """Return ``[(job_id, speaker, sentence), ...]`` of sentences with a word."""
        query = "SELECT DISTINCT job_id, speaker, sentence FROM words WHERE word = ?"
        return self._read(query, word.lower())

    def _connect(self):
        return sqlite3.connect(self._path, timeout=20, isolation_level=None)

    def _change(self, statement, *values):
        with closing(self._connect()) as base:
            base.execute(statement, values)

    def _read(self, statement, *values):
        with closing(self._connect()) as base:
            return base.execute(statement, values).fetchall()
