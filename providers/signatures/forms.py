"""The schemes that are a form of HMAC and nothing more."""

from dataclasses import replace
from typing import Final

from providers.signatures.keyed import Keyed
from providers.signatures.scheme import tolerance_in, without_tolerance
from providers.signatures.settings import Form, Settings

# Standard Webhooks 1.0.0, symmetric.
STANDARD: Final = Form(
    header="webhook-signature",
    template="{id}.{ts}.{body}",
    separator=" ",
    prefix="v1,",
    encoding="base64",
    key_encoding="base64",
    key_prefix="whsec_",
    timestamp_header="webhook-timestamp",
    event_id_header="webhook-id",
)
# The key is the whole secret, its prefix included; other versions prove nothing.
STRIPE: Final = Form(
    header="stripe-signature",
    template="{ts}.{body}",
    separator=",",
    prefix="v1=",
    timestamp_item="t=",
)
HMAC_SHA256: Final = Form(
    header="x-signature", prefix="sha256=", event_id_header="x-event-id"
)
CHECKOUT: Final = Form(header="cko-signature", any_case=True)
ADYEN_PLATFORM: Final = Form(
    header="hmacsignature", encoding="base64", key_encoding="hex"
)


def standard(settings: Settings) -> Keyed:
    """Standard Webhooks: the event is ``webhook-id``."""
    return Keyed(STANDARD, settings)


def stripe(settings: Settings) -> Keyed:
    """``Stripe-Signature``: the event's id stands in the body."""
    return Keyed(STRIPE, settings)


def hmac_sha256(settings: Settings) -> Keyed:
    """``X-Signature: sha256=HEX`` of the body; the event is ``X-Event-Id``."""
    tolerance_in(settings)
    # The contract lets the key stand here, and there is no time to hold it against.
    return Keyed(HMAC_SHA256, replace(settings, tolerance=None))


def checkout(settings: Settings) -> Keyed:
    """``Cko-Signature`` of Checkout.com: the event's id stands in the body."""
    without_tolerance(settings, "checkout")
    return Keyed(CHECKOUT, settings)


def adyen_platform(settings: Settings) -> Keyed:
    """``hmacsignature`` of Adyen's platform, where payouts are told."""
    without_tolerance(settings, "adyen-platform")
    return Keyed(ADYEN_PLATFORM, settings)
