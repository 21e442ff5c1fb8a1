"""The API: takes recordings in, says how jobs stand, and searches what was said."""

import sys
import time
from contextlib import asynccontextmanager

import uvicorn
from broker import broker_of
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pytest_narration.emit import (
    NarrationMiddleware,
    configure,
    inject,
    narrate,
    narration_context,
    new_id,
)

TYPES = ("ingest", "transcribe")


def main(port):
    """Serve on a port, which names the pipeline."""
    broker = broker_of(port)
    broker.clear()

    def submit(type, text):
        """Make a job, and put its first message on the queue of its first worker."""
        job_id = new_id()
        with narration_context(job_id=job_id):
            narrate("job_created", "Created a job: {job_type}", job_type=type, queue=type)
            broker.add_job(job_id, type)
            broker.put(type, {"headers": inject(), "attempt": 1, "for": job_id, "text": text})
        return JSONResponse({"job_id": job_id}, 202)

    def refuse(reason):
        narrate("request_refused", "Refused: {error_kind}", level="warn", error_kind=reason)
        return JSONResponse({"error": {"code": reason}}, 400)

    async def ingest(request):
        text = (await _json(request)).get("recording")
        if not isinstance(text, str) or not text.strip():
            return refuse("RECORDING_MISSING")
        return submit("ingest", text)

    async def jobs(request):
        asked = await _json(request)
        if asked.get("type") not in TYPES:
            return refuse("TYPE_UNKNOWN")
        if not isinstance(asked.get("input"), str):
            return refuse("INPUT_MISSING")
        return submit(asked["type"], asked["input"])

    async def job(request):
        found = broker.job(request.path_params["job_id"])
        if found is None:
            return JSONResponse({"error": {"code": "JOB_UNKNOWN"}}, 404)
        return JSONResponse({"state": found[0], "type": found[1]})

    async def search(request):
        began, word = time.perf_counter(), request.query_params.get("q", "")
        found = broker.search(word)
        narrate(
            "search_executed",
            "Found {results_count} sentences in {latency_ms} ms",
            mode="keyword",
            results_count=len(found),
            latency_ms=round((time.perf_counter() - began) * 1000, 3),
            query_chars=len(word),
        )
        results = [{"job_id": j, "speaker": s, "sentence": t} for j, s, t in found]
        return JSONResponse({"results": results})

    async def health(request):
        return JSONResponse({"status": "ok"})

    @asynccontextmanager
    async def lifespan(app):
        yield
        broker.close()

    app = Starlette(
        routes=[
            Route("/ingest", ingest, methods=["POST"]),
            Route("/jobs", jobs, methods=["POST"]),
            Route("/jobs/{job_id}", job),
            Route("/search", search),
            Route("/health", health),
        ],
        lifespan=lifespan,
    )
    configure("api", "1.0.0")
    narrate("startup", "API starts on port {port}", port=port)
    uvicorn.run(NarrationMiddleware(app), port=port, log_config=None, access_log=False)


async def _json(request):
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


if __name__ == "__main__":
    main(int(sys.argv[1]))
