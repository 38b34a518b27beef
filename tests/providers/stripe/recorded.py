"""Stripe's objects, after the examples of its API reference (docs.stripe.com/api)."""

from typing import Any

import orjson

from fsm.domain.money import Money
from handlers.ports.provider import Payout
from providers.http.outbound import Response
from providers.stripe.translate import Context

REFERENCE = "018f0000-0000-7000-8000-000000000001"
VERSION = "2025-07-30.basil"
PAYOUT: dict[str, Any] = {
    "id": "po_1OaFDbEcg9tTZuTgNYmX0PKB",
    "object": "payout",
    "amount": 1100,
    "arrival_date": 1680652800,
    "automatic": False,
    "balance_transaction": "txn_1OaFDcEcg9tTZuTgYMR25tSe",
    "created": 1680648691,
    "currency": "usd",
    "description": None,
    "destination": "ba_1MtIhL2eZvKYlo2CAElKwKu2",
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "livemode": False,
    "metadata": {"reference": REFERENCE},
    "method": "standard",
    "original_payout": None,
    "reconciliation_status": "not_applicable",
    "reversed_by": None,
    "source_type": "card",
    "statement_descriptor": None,
    "status": "pending",
    "type": "bank_account",
}
INTENT: dict[str, Any] = {
    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
    "object": "payment_intent",
    "amount": 1100,
    "amount_capturable": 0,
    "amount_received": 0,
    "capture_method": "automatic",
    "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic",
    "created": 1680800504,
    "currency": "usd",
    "customer": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {"reference": REFERENCE},
    "payment_method": "pm_1MtwBwLkdIwHu7ixPqM3bpQx",
    "payment_method_types": ["card"],
    "status": "processing",
}
TOKENS = {"payout": PAYOUT["destination"], "payment_intent": INTENT["payment_method"]}


def a_payout(**changes):
    return PAYOUT | changes


def an_intent(**changes):
    return INTENT | changes


def an_error(kind, code=None, **more):
    told = {"type": kind, "message": "Stripe's own words.", **more}
    return {"error": told if code is None else told | {"code": code}}


def an_event(kind, about, *, previous=None, **changes):
    data = {"object": about}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": "evt_1MqqbKLt4dXK03v5qaIbiNCC",
        "object": "event",
        "api_version": VERSION,
        "created": 1680648700,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        **changes,
    }


def answered(status, body, **headers):
    """Return an answer; an underscore in a header's name is a dash."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, body=data, headers=named)


def asked(makes="payout", *, token=None, money=None, **more):
    return Payout(
        reference=REFERENCE,
        money=money or Money(1100, "USD"),
        destination={
            "type": "bank",
            "token": TOKENS[makes] if token is None else token,
        },
        terminal_id=more.pop("terminal_id", None),
        **more,
    )


def context(makes="payout", *, payout=None, live=False, **changes):
    return Context(
        makes=makes,
        payout=payout or asked(makes),
        live=live,
        secrets={"id": TOKENS[makes], "owner": ""},
        **changes,
    )
