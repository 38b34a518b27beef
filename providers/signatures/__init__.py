"""Webhook signatures: all schemes behind one closed interface."""

from collections.abc import Callable, Mapping
from typing import Final

from providers.signatures import forms, macs, public_keys
from providers.signatures.adyen import Adyen
from providers.signatures.forms import forwarded
from providers.signatures.paypal import Paypal
from providers.signatures.public_keys import PEM, is_bare_key
from providers.signatures.scheme import RejectionReason, Verifier
from providers.signatures.settings import (
    BadSecret,
    Pins,
    SchemeSettings,
    Secret,
    SignatureForm,
    Unsafe,
)
from providers.signatures.tokens import Token

__all__ = [
    "BARE",
    "PEM",
    "SCHEMES",
    "UNCOVERED",
    "BadSecret",
    "Pins",
    "RejectionReason",
    "SchemeSettings",
    "Secret",
    "SignatureForm",
    "Unsafe",
    "Verifier",
    "forwarded",
    "is_bare_key",
    "verifier",
]

Scheme = Callable[[SchemeSettings], Verifier]

SCHEMES: Final[Mapping[str, Scheme]] = {
    "standard": forms.standard,
    "stripe": forms.stripe,
    "hmac-sha256": forms.hmac_sha256,
    "checkout": forms.checkout,
    "adyen": Adyen,
    "adyen-platform": forms.adyen_platform,
    "paypal": Paypal,
    "hmac": macs.of_the_configuration,
    "public-key": public_keys.of_the_configuration,
    "token": Token,
}
"""By the name in the configuration; what a request looks like decides nothing."""

UNCOVERED: Final = frozenset({"adyen", "paypal"})
"""The schemes whose signature leaves a part of the body to whoever sends it."""


BARE: Final = frozenset({"token"})
"""The schemes that sign nothing at all."""


def verifier(scheme: str, settings: SchemeSettings) -> Verifier:
    """Return the check of one route.

    :raises Unsafe: the settings would protect nothing, or have no meaning here.
    """
    parts = {
        "hmac": settings.hmac,
        "paypal": settings.paypal,
        "public-key": settings.public_key,
        "token": settings.token,
    }
    for name, part in parts.items():
        if part is not None and scheme != name:
            problem = f"has no meaning where the scheme is {scheme}"
            raise Unsafe(name.replace("-", "_"), problem)
    return SCHEMES[scheme](settings)
