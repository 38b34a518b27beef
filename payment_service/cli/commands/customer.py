"""`customer`: shown, erased."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    Cursor,
    CustomerId,
    Json,
    Limit,
    Reason,
)

group = new_group("All that a customer has here.")


@command(group, "show", "customer show c-9")
def customer_show(
    customer_id: CustomerId,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """Show every order of a customer, of all kinds, newest first, with its story."""
    from payment_service.cli import customers

    return customers.show(customer_id, limit=limit, cursor=cursor, as_json=as_json)


@command(group, "erase", 'customer erase c-9 --reason "ticket 4711"')
def customer_erase(
    customer_id: CustomerId,
    reason: Reason,
    as_json: Json = False,
) -> int:
    """Do so with every order of a customer; one that is under way is named, and stays.

    Run it again once those are final.
    """
    from payment_service.cli import erasure

    return erasure.erase_customer(customer_id, reason=reason, as_json=as_json)
