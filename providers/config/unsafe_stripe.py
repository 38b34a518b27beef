"""Tables of the adapter `stripe` that would cost money, and why."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from fsm.domain.durations import format_duration
from providers.config.tables import ProviderTable

# "Keys are removed from the system after they are at least 24 hours old."
KEYS_KEPT: Final = timedelta(hours=24)
SECRET_KEYS: Final = ("sk_", "rk_")
OURS: Final = frozenset({"authorization", "stripe-account", "stripe-version"})
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
OF_PAYOUTS: Final = ("method", "source_type", "statement_descriptor")

Problems = Iterator[tuple[str, str]]


def unsafe_stripe(table: ProviderTable) -> Problems:
    """Name what is wrong with a table of the adapter, nothing for another's."""
    if table.adapter != "stripe":
        if table.stripe is not None:
            yield "stripe", f"unknown key of the adapter {table.adapter}"
        return
    if table.stripe is None:
        yield "stripe", "is missing: it pins the version of the API"
    yield from _unsafe_way(table)
    yield from _unsafe_key(table)
    yield from _unsafe_promises(table)
    yield from _unsafe_charge(table)
    yield from _unsafe_making(table)
    if table.webhook is not None and table.webhook.scheme != "stripe":
        yield "webhook.scheme", "must be stripe"


def _unsafe_way(table: ProviderTable) -> Problems:
    if table.base_url is None:
        yield "base_url", "is missing; Stripe's is https://api.stripe.com"
        return
    parts = urlsplit(table.base_url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        yield "base_url", "must begin with https://: the key would be readable"
    if parts.path:
        yield "base_url", "must have no path: the adapter knows it"


def _unsafe_key(table: ProviderTable) -> Problems:
    auth = table.auth
    if auth is None or auth.bearer is None:
        yield "auth.bearer", "is missing: the secret or restricted key"
    elif not auth.bearer.token.get_secret_value().startswith(SECRET_KEYS):
        yield "auth.bearer.token", "must be a secret (sk_) or restricted key (rk_)"
    for name in sorted({name.lower() for name in table.headers} & OURS):
        yield f"headers.{name}", "is set by the adapter"


def _unsafe_promises(table: ProviderTable) -> Problems:
    """Refuse what Stripe does not promise."""
    if table.not_found == "definite":
        yield (
            "not_found",
            "cannot be definite: Stripe finds nothing by our reference for certain",
        )
    longest = KEYS_KEPT - table.timeout
    if table.idempotent_create and table.key_lifetime > longest:
        limit = format_duration(KEYS_KEPT)
        yield (
            "key_lifetime",
            f"must end a timeout before Stripe may forget the key ({limit}), as 23h",
        )
    if table.reference_form != "uuid":
        yield "reference_form", "unknown key of the adapter stripe"


def _unsafe_charge(table: ProviderTable) -> Problems:
    """Refuse of a charge what Stripe does not promise either."""
    charge = table.charge
    if charge is None:
        return
    if charge.absent_after is not None:
        reason = "Stripe finds nothing by our reference for certain"
        yield "charge.absent_after", f"must be left out: {reason}"
    if charge.key_lifetime is not None and charge.key_lifetime > KEYS_KEPT:
        limit = format_duration(KEYS_KEPT)
        yield "charge.key_lifetime", f"Stripe may forget the key after {limit}"


def _unsafe_making(table: ProviderTable) -> Problems:
    making = table.stripe
    if making is None:
        return
    if making.makes == "payout":
        if making.payment_method_types:
            yield "stripe.payment_method_types", "has no meaning for payouts"
        return
    for name in OF_PAYOUTS:
        if getattr(making, name) is not None:
            yield f"stripe.{name}", "has no meaning for payment intents"
    if making.connect:
        yield "stripe.connect", "has no meaning for payment intents"
