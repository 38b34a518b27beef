"""Webhook signatures: one module for each scheme, all behind one closed interface."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from providers.signatures import hmac_sha256, standard, stripe
from providers.signatures.scheme import BadSecret, Reason, Verifier

__all__ = ["SCHEMES", "BadSecret", "Reason", "Verifier", "verifier"]

Scheme = Callable[[Sequence[str], timedelta], Verifier]

SCHEMES: Final[Mapping[str, Scheme]] = {
    "standard": standard.Standard,
    "stripe": stripe.Stripe,
    "hmac-sha256": hmac_sha256.HmacSha256,
}
"""By the name in the configuration; what a request looks like decides nothing."""


def verifier(scheme: str, secrets: Sequence[str], tolerance: timedelta) -> Verifier:
    """Return the check of one route.

    :raises BadSecret: a secret is none, or too short to be one.
    """
    return SCHEMES[scheme](secrets, tolerance)
