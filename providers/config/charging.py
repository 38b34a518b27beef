"""The policy of a payment provider's charges, from its table, and who can have none."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from fsm.charge.policy import ChargePolicy
from fsm.engine.backoff import Backoff
from providers.config.tables import ProviderTable

OF_PAYOUTS: Final = ("create", "asking", "answers")
"""The keys that map a form of payouts, which is none of charges."""

Problems = Iterator[tuple[str, str]]


def charge_policy(table: ProviderTable) -> ChargePolicy:
    """Return how its charges may be treated: asked by ``recheck``, repeated by key.

    A provider that promises no ``idempotent_create`` is never told a charge again; what
    it does not know proves nothing unless its ``not_found`` is definite.
    """
    recheck = table.recheck
    certain = table.not_found == "definite"
    return ChargePolicy(
        retry=Backoff(first=recheck.first, factor=recheck.factor, longest=recheck.max),
        attempts=recheck.attempts,
        key_lifetime=table.key_lifetime if table.idempotent_create else timedelta(0),
        absent_after=table.not_found_grace if certain else None,
    )


def unfit_for_charges(table: ProviderTable) -> Problems:
    """Name what keeps a provider's table from being one that collects, by its keys."""
    if not table.status:
        yield "status", "must be true: it has to be asked what it charged"
    for key in OF_PAYOUTS:
        if getattr(table, key) is not None:
            named = "status" if key == "asking" else key
            yield named, "maps a form of payouts, and charges have none but the default"
    if table.stripe is not None and table.stripe.makes != "payment_intent":
        yield "stripe.makes", 'must be "payment_intent": a payout sends money away'
