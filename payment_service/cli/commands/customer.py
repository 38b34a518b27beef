"""`customer`: shown, erased."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.options import (
    Cursor,
    Json,
    Limit,
    Reason,
    new_group,
)

group = new_group("All that a customer has here.")


@group.command("show")
def customer_show(
    customer_id: Annotated[str, typer.Argument(help="As upstream calls him.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """Show every order of a customer, of all kinds, newest first, with its story."""
    from payment_service.cli import customers

    return customers.show(customer_id, limit=limit, cursor=cursor, as_json=as_json)


@group.command("erase")
def customer_erase(
    customer_id: Annotated[str, typer.Argument(help="As upstream calls him.")],
    reason: Reason,
    as_json: Json = False,
) -> int:
    """Do so with every order of a customer; one that is under way is named, and stays.

    Run it again once those are final.
    """
    from payment_service.cli import erasure

    return erasure.erase_customer(customer_id, reason=reason, as_json=as_json)
