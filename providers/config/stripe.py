"""The table that only the adapter `stripe` has."""

from typing import Annotated, Final, Literal

from pydantic import Field

from providers.config.table import Table
from providers.config.values import Many

DESCRIPTOR_LENGTH_MAX: Final = 22
VERSION: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z]{1,32})?$"
METHOD_TYPE: Final = r"^[a-z0-9_]{1,64}$"

Makes = Literal["payout", "payment_intent"]


class StripeTable(Table):
    """What is asked of Stripe, and in which version of its API.

    ``makes`` a payout sends money away; a payment intent *collects* it.
    """

    version: Annotated[str, Field(pattern=VERSION)]
    makes: Makes = "payout"
    connect: bool = False
    method: Literal["standard", "instant"] | None = None
    source_type: Literal["bank_account", "card", "fpx"] | None = None
    statement_descriptor: str | None = Field(
        default=None, min_length=1, max_length=DESCRIPTOR_LENGTH_MAX
    )
    payment_method_types: Many[Annotated[str, Field(pattern=METHOD_TYPE)]] = ()
