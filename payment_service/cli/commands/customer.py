"""`customer`: erased."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.options import Json, Reason, new_group

group = new_group("All that a customer has here.")


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
