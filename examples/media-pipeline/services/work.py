"""What each worker does with its message: text in, text out. A recording is its own transcript.

::

    A: Good morning. B: The harvest was good.
"""

import os
import re
import signal

from pytest_narration.emit import layer, narrate

NEXT = {
    "ingest": "transcribe",
    "transcribe": "diarize",
    "diarize": "enrich",
    "enrich": "indexer",
    "indexer": None,
}
"""``{worker: the one that comes after it}``."""


class Noise(Exception):
    """The quick model does not understand a recording with noise; the careful one does."""

    error_kind = "NOISE"


class Silence(Exception):
    """Nobody says anything, however carefully one listens."""

    error_kind = "SILENCE"


def ingest(message, broker):
    """Cut a recording into pieces of speech."""
    pieces = [piece.strip() for piece in re.split(r"(?<=[.!?])\s+", message["text"])]
    narrate("recording_split", "Split the recording into {pieces} pieces", pieces=len(pieces))
    return {"pieces": pieces}


def transcribe(message, broker):
    """Write down what is said: quickly at first, carefully when that failed."""
    pieces = message.get("pieces") or [message["text"]]
    model = "quick" if message["attempt"] == 1 else "careful"
    heard = " ".join(pieces)
    if model == "quick" and "[crash]" in heard:
        os.kill(os.getpid(), signal.SIGKILL)
    if model == "quick" and "[noise]" in heard:
        raise Noise
    if "[silence]" in heard:
        raise Silence
    pieces = [re.sub(r"\s*\[\w+\]\s*", " ", piece).strip() for piece in pieces]
    narrate("speech_written", "Wrote down {pieces} pieces", pieces=len(pieces), model_ref=model)
    return {"pieces": pieces}


def diarize(message, broker):
    """Say who speaks; a piece without a name is of the speaker before it."""
    speaker, told = "unknown", []
    for piece in message["pieces"]:
        named = re.match(r"(\w+):\s*(.*)", piece)
        if named:
            speaker, piece = named.groups()
        told.append([speaker, piece])
    narrate("speakers_found", "Found {speakers} speakers", speakers=len({s for s, _ in told}))
    return {"told": told}


def enrich(message, broker):
    """Add what search needs, in layers."""
    said = message["told"]
    with layer("words") as step:
        words = [sorted(set(re.findall(r"[a-z]{3,}", text.lower()))) for _, text in said]
        step.add(words=sum(map(len, words)))
    with layer("stop-words") as step:
        kept = [[word for word in found if word not in ("the", "and", "was")] for found in words]
        step.outcome = "ok" if kept != words else "skipped"
    return {"said": [[*who, found] for who, found in zip(said, kept, strict=True)]}


def indexer(message, broker):
    """Make it searchable, and end the job."""
    broker.add_words(message["for"], message["said"])
    broker.set_job(message["for"], "completed")
    narrate("recording_indexed", "Indexed {sentences} sentences", sentences=len(message["said"]))
    return {}
