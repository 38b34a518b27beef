"""`core`: a user's own core, checked."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import Json, Scenarios, option

NAME = "conformance"

Url = Annotated[str, typer.Argument(help="Its base URL, without /v1.", metavar="URL")]
Token = Annotated[
    str | None,
    option("--token", text="Else that of PAYMENT_CORE_TOKEN.", metavar="TOKEN"),
]
Limit = Annotated[
    str | None,
    option("--timeout", text="Of a call: 5s; PAYMENT_CORE_TIMEOUT.", metavar="D"),
]
Merchant = Annotated[
    str, option("--merchant", text="Whose money is held.", metavar="MERCHANT")
]
Customer = Annotated[
    str, option("--customer", text="Whose membership.", metavar="CUSTOMER")
]
Amount = Annotated[
    int, option("--amount", text="Held each time, in minor units.", metavar="N")
]
Currency = Annotated[
    str, option("--currency", text="Of the amount.", metavar="CURRENCY")
]
Order = Annotated[
    str | None, option("--order", text="One that core knows.", metavar="ORDER")
]
Name = Annotated[
    str, option("--provider", text="A name that core knows.", metavar="NAME")
]
Terminal = Annotated[
    str, option("--terminal", text="One that core knows.", metavar="TERMINAL")
]
Partner = Annotated[
    str, option("--partner", text="A name that core knows.", metavar="NAME")
]
Card = Annotated[str, option("--card", text="A card's token.", metavar="CARD")]

group = new_group("Your core: what it must offer, tried.")


@command(
    group,
    "check",
    "core check https://core-test.example --merchant m-1",
    "core check http://127.0.0.1:9002 --scenario freeze-lost",
)
def core_check(
    url: Url,
    *,
    token: Token = None,
    timeout: Limit = None,
    merchant: Merchant = NAME,
    customer: Customer = NAME,
    amount: Amount = 100,
    currency: Currency = "EUR",
    order: Order = None,
    provider: Name = NAME,
    terminal: Terminal = "t-1",
    partner: Partner = NAME,
    card: Card = "tok_conformance",
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Ask your core's test instance for holds, and take all of them back.

    It is called as the service would call it: again, at once, late, hung up on.
    Each scenario says what is wrong, and how it is mended.
    """
    from payment_service.cli import core_conformance as work
    from providers.testing.conformance.core import CoreSamples

    samples = CoreSamples(
        merchant_id=merchant,
        customer_id=customer,
        provider=provider,
        terminal_id=terminal,
        partner=partner,
        card_token=card,
        order_id=order,
    )
    asked = work.CoreAsked(url, token, timeout, amount, currency, samples)
    return work.check(asked, only=only or [], as_json=as_json)


@command(group, "scenarios", "core scenarios")
def core_scenarios(as_json: Json = False) -> int:
    """List the scenarios that a core has to pass, and what each proves."""
    from payment_service.cli import core_conformance

    return core_conformance.list_scenarios(as_json=as_json)
