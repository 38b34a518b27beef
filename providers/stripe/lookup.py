"""Looks for a payout whose id Stripe never told us, by our reference in its metadata.

What is found is certain, what is not found proves nothing: Stripe cannot search payouts
by metadata, so only the newest to the same destination are looked through; it can
search payment intents, but from an index that may be an hour behind. What does
know for certain is the idempotency key: a repeated create answers as the first did.
"""

from typing import Final

from providers.answering import unanswered
from providers.http.outbound import Response
from providers.port import NotFound, StatusAnswer, Unclear
from providers.retry_after import heeding
from providers.stripe.client import StripeClient
from providers.stripe.objects import PLACES, Body, reference_in
from providers.stripe.requests import Form, StripeDestination
from providers.stripe.translate import OK, Context, object_answer, status_answer

PAGE: Final = 100
PAGES_MAX: Final = 3
TWICE: Final = "Stripe has more than one of this reference"


async def look_up(
    client: StripeClient, target: StripeDestination, context: Context
) -> StatusAnswer:
    """Ask what became of it, without Stripe's id."""
    if context.makes == "payout":
        return await _among_payouts(client, target, context)
    return await _among_intents(client, context)


async def _among_payouts(
    client: StripeClient, target: StripeDestination, context: Context
) -> StatusAnswer:
    until = client.deadline()
    query: dict[str, str] = {"destination": target.id, "limit": str(PAGE)}
    found: list[Body] = []
    for _ in range(PAGES_MAX):
        rows = await _rows(
            client, PLACES["payout"], query, target.owner, until, context
        )
        if not isinstance(rows, list):
            return rows
        found += _ours(rows, context)
        last = rows[-1].get("id") if len(rows) == PAGE else None
        if found or not isinstance(last, str):
            break
        query["starting_after"] = last
    return _one_of(found, context)


async def _among_intents(client: StripeClient, context: Context) -> StatusAnswer:
    until, place = client.deadline(), PLACES["payment_intent"]
    wanted = f'metadata["reference"]:"{context.payout.reference}"'
    query = {"query": wanted, "limit": "2"}
    rows = await _rows(client, f"{place}/search", query, None, until, context)
    if not isinstance(rows, list):
        return rows
    found = _ours(rows, context)
    if len(found) != 1:
        return _one_of(found, context)
    # The index may be behind; the object itself is not.
    answer = await client.get(
        f"{place}/{found[0]['id']}", {}, account=None, until=until
    )
    return heeding(status_answer(answer, context), answer)


async def _rows(
    client: StripeClient,
    path: str,
    query: Form,
    account: str | None,
    until: float,
    context: Context,
) -> list[Body] | StatusAnswer:
    """Return one page of objects, or why there is none."""
    answer = await client.get(path, query, account=account, until=until)
    if not isinstance(answer, Response):
        return unanswered(answer)
    body = answer.read_object() or {}
    rows = body.get("data")
    if answer.status == OK and isinstance(rows, list):
        if all(
            isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows
        ):
            return rows
        return Unclear(because="its list cannot be read")
    failed = heeding(status_answer(answer, context), answer)
    return failed if answer.status != OK else Unclear(because="it sent no list")


def _ours(rows: list[Body], context: Context) -> list[Body]:
    return [row for row in rows if reference_in(row) == context.payout.reference]


def _one_of(found: list[Body], context: Context) -> StatusAnswer:
    if not found:
        return NotFound(evidence={"looked_by": "metadata.reference"})
    if len(found) > 1:
        return Unclear(because=TWICE)
    return object_answer(found[0], context, {"looked_by": "metadata.reference"})
