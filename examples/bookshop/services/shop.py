"""The shop: takes an order, has it reserved and paid, and says what came of it."""

import os
import sys
import uuid
from contextvars import ContextVar

import httpx
import structlog
import uvicorn
from fastapi import FastAPI, Header, Response
from pydantic import BaseModel, PositiveInt

STOCK, PAYMENTS = os.environ["STOCK_URL"], os.environ["PAYMENTS_URL"]
CAUSE = "X-Narration-Cause"
latest = ContextVar("latest", default=None)


def linked(logger, method, line):
    """Give a line an id, and the id of what directly preceded it: a story's order rests on it."""
    line |= {"event_id": str(uuid.uuid4())} | ({"cause": [latest.get()]} if latest.get() else {})
    latest.set(line["event_id"])
    return line


async def tell_cause(request):
    request.headers[CAUSE] = latest.get()


async def take_cause(response):
    latest.set(response.headers.get(CAUSE, latest.get()))


structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        linked,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
)
log = structlog.get_logger(component="orders")
app = FastAPI()


class Order(BaseModel):
    book: str
    copies: PositiveInt
    card: str


@app.get("/health")
async def health():
    return {"status": "up"}


@app.post("/orders", status_code=201)
async def order(wanted: Order, response: Response, x_correlation_id: str = Header("")):
    correlation_id, job_id = x_correlation_id or str(uuid.uuid4()), str(uuid.uuid4())
    response.headers["X-Correlation-Id"] = correlation_id
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id, job_id=job_id)
    log.info("order received", book=wanted.book, copies=wanted.copies)

    sent_on = {"X-Correlation-Id": correlation_id, "X-Parent-Job-Id": job_id}
    hooks = {"request": [tell_cause], "response": [take_cause]}
    async with httpx.AsyncClient(headers=sent_on, event_hooks=hooks) as client:
        goods = {"book": wanted.book, "copies": wanted.copies}
        reserved = await client.post(f"{STOCK}/reservations", json=goods)
        if reserved.is_error:
            return refuse(response, "SOLD_OUT")
        paid = await client.post(f"{PAYMENTS}/payments", json={"card": wanted.card})
        if paid.is_error:
            await client.request("DELETE", f"{STOCK}/reservations", json=goods)
            return refuse(response, "CARD_REFUSED")
    log.info("order confirmed", book=wanted.book)
    return {"order": job_id, "status": "confirmed"}


def refuse(response, code):
    log.warning("order refused", error_code=code)
    response.status_code = 409
    return {"error": {"code": code}}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None)
