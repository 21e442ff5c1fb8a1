"""Two services for scenarios: a shop that takes orders, and the bank that it asks for the money.

``python shop.py shop PORT BANK_URL`` and ``python shop.py bank PORT``. They narrate with
``pytest_narration.emit``; the shop streams what happens to an order.
"""

import json
import os
import socketserver
import sys
import threading
import urllib.error
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pytest_narration.emit import configure, inject, learn, narrate, narration_context, new_id
from pytest_narration.emit.wsgi import NarrationMiddleware

KIND, PORT, BANK = (*sys.argv[1:], "")[:3]
ORDERS = {}


class Channel:
    """Lines of one job on their way to its stream."""

    def __init__(self, job_id):
        self.job_id, self.is_open, self.lines = job_id, True, []

    def put(self, line):
        self.lines.append(line)


def application(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)

    def reply(status, document, **headers):
        data = json.dumps(document).encode()
        start_response(
            status,
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(data))),
                *headers.items(),
            ],
        )
        return [data]

    if path == "/health":
        return reply("200 OK", {"ok": True, "tenant": environ.get("HTTP_X_TENANT")})
    if path == "/exit":
        os._exit(3)
    if path == "/print":
        print("this is no event", flush=True)
        return reply("200 OK", {})
    if path == "/busy/stream":
        return reply("409 Conflict", {"error": {"code": "stream_in_use"}})
    if KIND == "bank":
        return pay(environ, body, reply)
    if path.endswith("/stream") or path == "/execute":
        job = path.split("/")[2] if path.endswith("/stream") else take(b"{}")["job_id"]
        frames = stream(job, environ.get("HTTP_LAST_EVENT_ID"), environ.get("QUERY_STRING"))
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return frames
    if method == "POST" and path == "/orders":
        if environ.get("HTTP_AUTHORIZATION") == "Bearer wrong":
            return reply("401 Unauthorized", {"error": {"code": "unauthorized"}})
        try:
            order = take(body)
        except ValueError:
            narrate("refused", "Refused an order", actor="orders", level="warn", error_kind="JSON")
            return reply("400 Bad Request", {"error": {"code": "no_json"}})
        return reply("202 Accepted", order, Location=f"/orders/{order['job_id']}")
    return reply("404 Not Found", {"error": {"code": "not_found", "message": path}})


def take(body):
    order = json.loads(body)
    job = new_id()
    ORDERS[job] = Channel(job)
    with narration_context(job_id=job, channel=ORDERS[job], actor="orders"):
        count = order.get("count", 1)
        narrate("placed", "Placed an order of {count}", count=count, customer={"id": "c-1"})
        headers = inject({"X-Parent-Job-Id": job, "Content-Type": "application/json"})
        request = urllib.request.Request(BANK + "/payments", b"{}", headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            learn(dict(answer.headers))
        narrate("confirmed", "Confirmed the order")
        narrate("restocked", "Ordered more shoes", sse=False)
    items = [{"name": order.get("item", "shoes"), "n": count}]
    return {"job_id": job, "status": "accepted", "items": items, "task": {"ref": job}}


def pay(environ, body, reply):
    with narration_context(job_id=new_id(), actor="payments"):
        narrate("paid", "Took the money", amount=12.5)
    return reply("200 OK", {"paid": True})


def stream(job, after, query):
    channel = ORDERS[job]
    frames = [("started", json.dumps({"type": "started", "job_id": job}))]
    frames += [
        ("narration", json.dumps({"type": "narration", "event": json.loads(line)}))
        for line in channel.lines
    ]
    frames += [("token", json.dumps({"type": "token", "index": n})) for n in range(2)]
    frames.append(("end", json.dumps({"type": "end", "items": 2, "reason": "stop"})))
    for number, (kind, data) in enumerate(frames, 1):
        if after and number <= int(after):
            continue
        if query == "slowly" and kind == "end" and not after:
            # Until the reader goes away: the next bytes then meet a closed connection.
            for _ in range(200):
                threading.Event().wait(0.05)
                yield b": still there\n\n"
        yield f"event: {kind}\nid: {number}\ndata: {data}\n\n".encode()
    yield f"id: {len(frames) + 1}\ndata: [DONE]\n\n".encode()


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A reader that went away is no news."""


class Handler(WSGIRequestHandler):
    def log_message(self, format, *args):
        """Only events are printed."""


configure(KIND, "1.0")
server = make_server(
    "127.0.0.1", int(PORT), NarrationMiddleware(application), Server, handler_class=Handler
)
narrate("listening", "Listening on port {port}", actor="http-server", port=int(PORT))
server.serve_forever()
