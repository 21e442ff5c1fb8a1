"""A FastAPI service that charges cards. It narrates, and logs with structlog and logging too."""

import logging

import structlog
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt

from pytest_narration.emit import (
    NarrationMiddleware,
    configure,
    current_context,
    narrate,
    narration_context,
    new_id,
)

configure(service="billing", version="1.0.0")

LIMIT = 500


def ids_of_the_request():
    """Return what the other loggers need, to log under the ids of the running request."""
    context = current_context()
    names = ("correlation_id", "job_id")
    return {name: value for name in names if context and (value := context.get(name))}


def add_ids(logger, method, fields):
    return ids_of_the_request() | fields


def with_ids(record):
    vars(record).update(ids_of_the_request())
    return True


structlog.configure(processors=[add_ids, structlog.processors.JSONRenderer()])
ledger = structlog.get_logger(component="ledger")
audit = logging.getLogger("billing.audit")
audit.setLevel(logging.INFO)
audit.addFilter(with_ids)


class Charge(BaseModel):
    card: str
    amount: PositiveInt


api = FastAPI()


@api.post("/charges", status_code=201)
def charge(wanted: Charge):
    with narration_context(job_id=new_id(), actor="cashier"):
        narrate("charge_started", "Charging {amount}", amount=wanted.amount)
        ledger.info("limit_checked", limit=LIMIT)
        if wanted.amount > LIMIT:
            narrate(
                "charge_failed",
                "Charge of {amount} refused: {error_kind}",
                level="warn",
                amount=wanted.amount,
                error_kind="OVER_LIMIT",
            )
            raise HTTPException(402, "OVER_LIMIT")
        audit.info("card charged with %d", wanted.amount)
        narrate("charge_completed", "Charged {amount}", amount=wanted.amount)


app = NarrationMiddleware(api)
