"""The gateway takes subscriptions and has the mailer welcome people. It logs JSON."""

import json
import logging
import os
import sys
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class JsonLines(logging.Formatter):
    def format(self, record):
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "levelname": record.levelname,
            "name": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(fields | getattr(record, "fields", {}))


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonLines())
log = logging.getLogger("gateway.http")
log.addHandler(handler)
log.setLevel(logging.INFO)


class Subscriptions(BaseHTTPRequestHandler):
    def do_POST(self):
        correlation_id = self.headers.get("X-Correlation-Id") or str(uuid.uuid4())
        job_id = str(uuid.uuid4())
        ids = {"correlation_id": correlation_id, "job_id": job_id}
        log.info("subscription received", extra={"fields": ids})
        wanted = urllib.request.Request(
            f"{os.environ['MAILER_URL']}/mails",
            data=self.rfile.read(int(self.headers["Content-Length"])),
            headers={
                "X-Correlation-Id": correlation_id,
                "X-Parent-Job-Id": job_id,
            },
        )
        with urllib.request.urlopen(wanted, timeout=10) as accepted:
            log.info("subscription accepted", extra={"fields": ids | {"mail": accepted.status}})
        self.send_response(202)
        self.send_header("X-Correlation-Id", correlation_id)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing beside the lines above."""


with ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Subscriptions) as server:
    log.info("listening on port %d", server.server_port)
    server.serve_forever()
