"""Signatures by a secret that both sides have: HMAC, in whichever form it is sent."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from providers.signatures.encodings import from_base64, from_hex
from providers.signatures.scheme import RouteKeys, any_equal
from providers.signatures.settings import SchemeSettings, SignatureForm, Unsafe
from providers.signatures.signed import SignatureVerifier, require_spelt_out

DIGESTS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
"""By name, how many bytes it makes; what is not here is broken, or not known."""


class Mac:
    """Makes the signature again, and compares in constant time."""

    def __init__(self, form: SignatureForm, settings: SchemeSettings) -> None:
        if form.digest not in DIGESTS:
            raise form.unsafe("digest", f"must be one of {', '.join(DIGESTS)}")
        self._digest = form.digest
        self._size = DIGESTS[form.digest]
        self._keys = RouteKeys(settings.secrets, lambda secret: _key(secret, form))

    def fits(self, signature: bytes) -> bool:
        """True where it is as long as the digest."""
        return len(signature) == self._size

    def holds(self, signatures: Sequence[bytes], content: bytes, now: datetime) -> bool:
        """Compare every signature with every key's."""
        expected = [hmac.digest(k, content, self._digest) for k in self._keys.at(now)]
        return any_equal(signatures, expected)


def mac_signed(form: SignatureForm, settings: SchemeSettings) -> SignatureVerifier:
    """Make the check of one form."""
    return SignatureVerifier(form, settings, Mac(form, settings))


def of_the_configuration(settings: SchemeSettings) -> SignatureVerifier:
    """Make the check of a form that the configuration spells out.

    :raises Unsafe: it would protect less than it seems to.
    """
    if settings.hmac is None:
        raise Unsafe("hmac", "is missing")
    require_spelt_out(settings.hmac, settings)
    return mac_signed(settings.hmac, settings)


def _key(secret: str, form: SignatureForm) -> bytes | None:
    if not secret.startswith(form.key_prefix):
        return None
    text = secret.removeprefix(form.key_prefix)
    match form.key_encoding:
        case "hex":
            return from_hex(text)
        case "base64":
            return from_base64(text)
        case "utf-8":
            return text.encode()
