"""PayPal's signature: RSA over a checksum of the body, by certificates pinned here."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from fsm.domain.text import parse_time
from providers.port import Rejected, Verified
from providers.signatures.encodings import from_base64
from providers.signatures.scheme import (
    PRINTABLE,
    RejectionReason,
    header,
    tolerance_in,
    untimely,
)
from providers.signatures.settings import Pins, SchemeSettings, Unsafe

# PayPal sends again for three days, and does not say whether it signs anew.
AGE_DEFAULT: Final = timedelta(days=4)
AGE_MAX: Final = timedelta(days=7)
FUTURE_MAX: Final = timedelta(minutes=5)
KEY_BITS_MIN: Final = 2048
ALGORITHM: Final = "SHA256withRSA"

_WEBHOOK_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
# Neither port nor user nor query nor a way up can be spelled in this.
_URL: Final = re.compile(
    r"https://api(?:\.sandbox)?\.paypal\.com/v1/notifications/certs/[A-Za-z0-9_-]{1,128}",
    re.ASCII,
)
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "paypal-transmission-id": re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII),
    "paypal-transmission-time": re.compile(r"[0-9TtZz:.+-]{20,40}", re.ASCII),
    "paypal-transmission-sig": PRINTABLE,
    "paypal-cert-url": PRINTABLE,
    "paypal-auth-algo": re.compile(ALGORITHM, re.ASCII),
}


@dataclass(frozen=True, slots=True)
class _Certificate:
    key: RSAPublicKey
    not_before: datetime
    not_after: datetime

    def holds(self, signature: str, content: bytes) -> bool:
        decoded = from_base64(signature)
        if decoded is None:
            return False
        try:
            self.key.verify(decoded, content, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


class Paypal:
    """Verifies the five ``PAYPAL-*`` headers; the event is the transmission.

    Of the body only a CRC-32 is signed, for which another body is found at once: who
    holds one transmission can give it another body. So the transmission is the event,
    and what its body says must be asked for again before anything rests on it.

    Nothing is ever fetched: ``PAYPAL-CERT-URL`` only names a certificate we have.
    """

    def __init__(self, settings: SchemeSettings) -> None:
        pins = settings.paypal
        if pins is None:
            raise Unsafe("paypal", "is missing")
        if settings.secrets:
            raise Unsafe("secrets", "has no meaning where certificates are pinned")
        if not _WEBHOOK_ID.fullmatch(pins.webhook_id):
            raise Unsafe("paypal.webhook_id", "must be the id of the subscription")
        self._webhook_id = pins.webhook_id
        self._certificates = _pinned(pins)
        self._past = tolerance_in(settings, default=AGE_DEFAULT, longest=AGE_MAX)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check the transmission by the certificate that it names."""
        told: dict[str, str] = {}
        for name, form in _FORMS.items():
            value = header(headers, name, form)
            if isinstance(value, Rejected):
                return value
            told[name.removeprefix("paypal-")] = value
        certificate = self._certificates.get(told["cert-url"])
        if certificate is None or not (
            certificate.not_before <= now <= certificate.not_after
        ):
            return Rejected(RejectionReason.UNKNOWN_CERTIFICATE)
        if late := self._late(told["transmission-time"], now):
            return late
        content = self._content(told, body)
        if not certificate.holds(told["transmission-sig"], content):
            return Rejected(RejectionReason.WRONG)
        return Verified(told["transmission-id"])

    def _late(self, sent: str, now: datetime) -> Rejected | None:
        try:
            sent_at = parse_time(sent).timestamp()
        except ValueError:
            return Rejected(RejectionReason.MALFORMED)
        return untimely(sent_at, now, self._past, FUTURE_MAX)

    def _content(self, told: Mapping[str, str], body: bytes) -> bytes:
        parts = (
            told["transmission-id"],
            told["transmission-time"],
            self._webhook_id,
            str(zlib.crc32(body)),
        )
        return "|".join(parts).encode("ascii")


def _pinned(pins: Pins) -> dict[str, _Certificate]:
    if not pins.certificates:
        raise Unsafe("paypal.certificates", "must not be empty")
    for url in pins.certificates:
        if not _URL.fullmatch(url):
            problem = "must be by URLs of certificates at PayPal's two API hosts"
            raise Unsafe("paypal.certificates", problem)
    if len({urlsplit(url).hostname for url in pins.certificates}) > 1:
        raise Unsafe("paypal.certificates", "must not mix the sandbox with the rest")
    return {url: _certificate(pem) for url, pem in pins.certificates.items()}


def _certificate(pem: str) -> _Certificate:
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        problem = "must be of one certificate in PEM, or of the file that holds it"
        raise Unsafe("paypal.certificates", problem) from None
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        problem = f"must have RSA keys of at least {KEY_BITS_MIN} bits"
        raise Unsafe("paypal.certificates", problem)
    return _Certificate(key, found.not_valid_before_utc, found.not_valid_after_utc)
