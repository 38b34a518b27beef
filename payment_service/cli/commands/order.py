"""`order`: shown, listed, cancelled, erased."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from fsm.engine.words import Kind, OrderState, State
from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    Cursor,
    Json,
    Limit,
    OrderId,
    Reason,
    Wide,
    choice,
    option,
)

group = new_group("Orders with their attempts, audit trail and timers.")


@command(
    group,
    "show",
    "order show w-1001",
    "order show w-1001 --watch",
    "order show 0195f1de-7c1a --json",
)
def order_show(
    order_id: OrderId,
    watched: Annotated[
        bool, option("--watch", text="Go on until it is at rest: 0 where completed.")
    ] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> int:
    """Show an order: why each provider was tried, its audit trail, timers and cases.

    A unique beginning of an id will do.
    """
    from payment_service.cli import orders

    if watched:
        from payment_service.cli import watch

        return watch.watch(order_id, wide=wide, as_json=as_json)
    return orders.show(order_id, wide=wide, as_json=as_json)


@command(group, "list", "order list --state ACTIVE --from 2h")
def order_list(  # noqa: PLR0917 - an option is a parameter to typer
    state: Annotated[
        OrderState | None, choice("--state", OrderState, text="Of the order")
    ] = None,
    task_state: Annotated[
        State | None, choice("--task-state", State, text="Of a task")
    ] = None,
    customer: Annotated[str | None, option("--customer", text="Its id.")] = None,
    merchant: Annotated[str | None, option("--merchant", text="Its id.")] = None,
    provider: Annotated[str | None, option("--provider", text="Of a task.")] = None,
    kind: Annotated[Kind | None, choice("--kind", Kind, text="Of the order")] = None,
    since: Annotated[
        str | None,
        option("--from", text="Made then or later; days are UTC.", metavar="TIME"),
    ] = None,
    until: Annotated[
        str | None,
        option("--to", text="Made before; days are UTC.", metavar="TIME"),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    wide: Wide = False,
    as_json: Json = False,
) -> int:
    """List orders, newest first."""
    from payment_service.cli import orders

    sought = orders.search(
        state=state,
        task_state=task_state,
        customer=customer,
        merchant=merchant,
        provider=provider,
        kind=kind,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
    return orders.list_(sought, wide=wide, as_json=as_json)


@command(group, "cancel", 'order cancel w-1001 --reason "asked by the customer"')
def order_cancel(order_id: OrderId, reason: Reason, as_json: Json = False) -> int:
    """Give up an order where and when that is safe.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import decisions

    return decisions.cancel_order(order_id, reason=reason, as_json=as_json)


@command(group, "erase", 'order erase w-1001 --reason "ticket 4711"')
def order_erase(order_id: OrderId, reason: Reason, as_json: Json = False) -> int:
    """Take out of a final order who the customer is and where his money went."""
    from payment_service.cli import erasure

    return erasure.erase_order(order_id, reason=reason, as_json=as_json)
