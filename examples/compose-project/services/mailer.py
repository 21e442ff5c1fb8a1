"""The mailer sends welcome mails. It logs logfmt, as many Go programs do."""

import os
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def log(level, msg, **fields):
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    pairs = " ".join(f"{name}={value}" for name, value in fields.items() if value)
    print(f'time={now} level={level} msg="{msg}" {pairs}'.rstrip(), flush=True)


class Mails(BaseHTTPRequestHandler):
    def do_POST(self):
        ids = {
            "correlation_id": self.headers.get("X-Correlation-Id") or uuid.uuid4(),
            "job_id": uuid.uuid4(),
            "parent_job_id": self.headers.get("X-Parent-Job-Id"),
        }
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        log("info", "mail sent", bytes=size, **ids)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing beside the line above."""


with ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Mails) as server:
    log("info", "listening", port=server.server_port)
    server.serve_forever()
