"""The policy of a payment provider's charges, from its table, and who can have none."""

from collections.abc import Iterator
from typing import Final

from fsm.charge.policy import ChargePolicy
from providers.config.tables import ProviderTable

OF_PAYOUTS: Final = ("create", "asking", "answers")
"""The keys that map a form of payouts, which is none of charges."""

Problems = Iterator[tuple[str, str]]


def charge_policy(table: ProviderTable) -> ChargePolicy:
    """Return how its charges may be treated.

    :raises ValueError: it has none.
    """
    policy = table.charge_policy
    if policy is None:
        raise ValueError("needs a charge")
    return policy


def unfit_for_charges(table: ProviderTable) -> Problems:
    """Name what keeps a provider's table from being one that collects, by its keys."""
    if table.charge is None:
        yield "charge", "is missing: it says how its charges may be treated"
    if not table.status:
        yield "status", "must be true: it has to be asked what it charged"
    for key in OF_PAYOUTS:
        if getattr(table, key) is not None:
            named = "status" if key == "asking" else key
            yield named, "maps a form of payouts, and charges have none but the default"
    if table.stripe is not None and table.stripe.makes != "payment_intent":
        yield "stripe.makes", 'must be "payment_intent": a payout sends money away'
