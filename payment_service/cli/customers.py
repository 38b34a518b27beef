"""Shows a customer's whole story: every order of any kind, with what became of it."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from fsm.domain.explain import explain
from fsm.domain.orders import Order
from fsm.flows import RULES
from handlers.ports.reads import AuditEntry, Page, Search
from payment_service.cli.context import run_async
from payment_service.cli.database import open_database
from payment_service.cli.order_printing import print_attempts, print_order, print_trail
from payment_service.cli.printing import heading, print_json, print_text
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import (
    events_view,
    explanation_view,
    left_out_of,
    order_view,
)

Trails: TypeAlias = Mapping[str, Sequence[AuditEntry]]
"""By queue_id, the audit trail of an order."""


def show(customer_id: str, *, limit: int, cursor: str | None, as_json: bool) -> int:
    """Print a page of a customer's orders, newest first, each with its story."""
    sought = Search(customer_id=customer_id, limit=limit, cursor=cursor)
    page, trails = run_async(_found(sought))
    if as_json:
        orders = [_view(order, trails[order.queue_id]) for order in page.items]
        told = {"orders": orders, "next_cursor": page.next_cursor}
        print_json({"customer_id": customer_id, **told, **left_out_of(page)})
        return 0
    if not page.items:
        print_text("Nothing was asked for by this customer.")
    for order in page.items:
        _print(order, trails[order.queue_id])
    if page.left_out:
        print_text(f"{page.left_out} more are left out: this version cannot read them.")
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _found(sought: Search) -> tuple[Page[Order], Trails]:
    async with open_database() as database:
        reads = PostgresReads(database)
        page = await reads.search(sought)
        return page, await reads.histories([order.queue_id for order in page.items])


def _view(order: Order, trail: Sequence[AuditEntry]) -> Mapping[str, object]:
    explanation, words = explanation_view(order, [each.line for each in trail])
    return {
        **order_view(order),
        "explanation": explanation,
        "in_words": words,
        "events": events_view(trail),
    }


def _print(order: Order, trail: Sequence[AuditEntry]) -> None:
    heading(f"{order.queue.kind} {order.order_id}")
    print_order(order)
    print_attempts(explain(order, [each.line for each in trail], RULES))
    print_trail(order, trail)
