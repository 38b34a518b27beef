"""The schemes that are a form of HMAC and nothing more."""

from dataclasses import replace
from typing import Final

from providers.signatures.macs import mac_signed
from providers.signatures.scheme import tolerance_in, without_tolerance
from providers.signatures.settings import SchemeSettings, SignatureForm
from providers.signatures.signed import SignatureVerifier

# Standard Webhooks 1.0.0, symmetric.
STANDARD: Final = SignatureForm(
    exact=True,
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
STRIPE: Final = SignatureForm(
    exact=True,
    header="stripe-signature",
    template="{ts}.{body}",
    separator=",",
    prefix="v1=",
    timestamp_item="t=",
)
HMAC_SHA256: Final = SignatureForm(
    exact=True, header="x-signature", prefix="sha256=", event_id_header="x-event-id"
)
CHECKOUT: Final = SignatureForm(exact=True, header="cko-signature")
ADYEN_PLATFORM: Final = SignatureForm(
    exact=True, header="hmacsignature", encoding="base64", key_encoding="hex"
)


# Of our own services, on the bus. A secret is its UTF-8 bytes as they stand.
FORWARDED: Final = SignatureForm(
    exact=True,
    header="x-forwarder-signature",
    template="{ts}.{body}",
    separator=" ",
    prefix="v1,",
    encoding="base64",
    timestamp_header="x-forwarder-timestamp",
)


def forwarded(subject: str, settings: SchemeSettings) -> SignatureVerifier:
    """``X-Forwarder-Signature`` of a message: good on its own subject alone."""
    form = replace(FORWARDED, template=f"{subject}.{FORWARDED.template}")
    return mac_signed(form, settings)


def standard(settings: SchemeSettings) -> SignatureVerifier:
    """Standard Webhooks: the event is ``webhook-id``."""
    return mac_signed(STANDARD, settings)


def stripe(settings: SchemeSettings) -> SignatureVerifier:
    """``Stripe-Signature``: the event's id stands in the body."""
    return mac_signed(STRIPE, settings)


def hmac_sha256(settings: SchemeSettings) -> SignatureVerifier:
    """``X-Signature: sha256=HEX`` of the body; the event is ``X-Event-Id``."""
    tolerance_in(settings)
    # The contract lets the key stand here, and there is no time to hold it against.
    return mac_signed(HMAC_SHA256, replace(settings, tolerance=None))


def checkout(settings: SchemeSettings) -> SignatureVerifier:
    """``Cko-Signature`` of Checkout.com: the event's id stands in the body."""
    without_tolerance(settings, "checkout")
    return mac_signed(CHECKOUT, settings)


def adyen_platform(settings: SchemeSettings) -> SignatureVerifier:
    """``hmacsignature`` of Adyen's platform, where payouts are told."""
    without_tolerance(settings, "adyen-platform")
    return mac_signed(ADYEN_PLATFORM, settings)
