"""`four-eyes`: from which amounts on two persons decide."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import Json, Reason, Wide, argument, option

group = new_group("From which amounts on two persons decide.")


@command(group, "show", "four-eyes show")
def four_eyes_show(wide: Wide = False, as_json: Json = False) -> int:
    """Show from which amounts on two persons decide."""
    from payment_service.cli import four_eyes

    return four_eyes.show(wide=wide, as_json=as_json)


@command(group, "set", 'four-eyes set 70000000 --currency JPY --reason "policy 7"')
def four_eyes_set(
    amount: Annotated[str, argument("AMOUNT", text="Minor units, or none.")],
    reason: Reason,
    currency: Annotated[
        str | None, option("--currency", text="Left out: all without their own.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Set the amount from which two decide; to ask two less often takes two."""
    from payment_service.cli import four_eyes

    return four_eyes.put(amount, currency=currency, reason=reason, as_json=as_json)
