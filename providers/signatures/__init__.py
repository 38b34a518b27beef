"""Webhook signatures: all schemes behind one closed interface."""

from collections.abc import Callable, Mapping
from typing import Final

from providers.signatures import forms, keyed
from providers.signatures.adyen import Adyen
from providers.signatures.paypal import Paypal
from providers.signatures.scheme import Reason, Verifier
from providers.signatures.settings import (
    BadSecret,
    Form,
    Pins,
    Secret,
    Settings,
    Unsafe,
)

__all__ = [
    "SCHEMES",
    "UNCOVERED",
    "BadSecret",
    "Form",
    "Pins",
    "Reason",
    "Secret",
    "Settings",
    "Unsafe",
    "Verifier",
    "verifier",
]

Scheme = Callable[[Settings], Verifier]

SCHEMES: Final[Mapping[str, Scheme]] = {
    "standard": forms.standard,
    "stripe": forms.stripe,
    "hmac-sha256": forms.hmac_sha256,
    "checkout": forms.checkout,
    "adyen": Adyen,
    "adyen-platform": forms.adyen_platform,
    "paypal": Paypal,
    "hmac": keyed.of_the_configuration,
}
"""By the name in the configuration; what a request looks like decides nothing."""

UNCOVERED: Final = frozenset({"adyen", "paypal"})
"""The schemes whose signature leaves a part of the body to whoever sends it."""


def verifier(scheme: str, settings: Settings) -> Verifier:
    """Return the check of one route.

    :raises Unsafe: the settings would protect nothing, or have no meaning here.
    """
    for name, part in (("hmac", settings.hmac), ("paypal", settings.paypal)):
        if part is not None and scheme != name:
            raise Unsafe(name, f"has no meaning where the scheme is {scheme}")
    return SCHEMES[scheme](settings)
