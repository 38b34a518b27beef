"""Signs webhooks as a provider does that is configured so: HMAC, keys, tokens."""

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from providers.config import WebhookTable
from providers.signatures.forms import (
    ADYEN_PLATFORM,
    CHECKOUT,
    HMAC_SHA256,
    STANDARD,
    STRIPE,
)
from providers.signatures.settings import SignatureForm
from providers.signatures.template import Part, read_template
from providers.testing.conformance.keys import public_key_of, signature_of, some_key

FORMS: Final[Mapping[str, SignatureForm]] = {
    "standard": STANDARD,
    "stripe": STRIPE,
    "hmac-sha256": HMAC_SHA256,
    "checkout": CHECKOUT,
    "adyen-platform": ADYEN_PLATFORM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWebhook:
    """A webhook on its way; ``signed`` names the headers that nobody may change."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    signed: frozenset[str]


class Signer(Protocol):
    """Signs in one form, by secrets that it makes up."""

    @property
    def form(self) -> SignatureForm:
        """How it signs."""
        ...

    def secret(self, digits: str) -> str:
        """Make what it signs with, of 64 hexadecimal digits."""
        ...

    def configured(self, raw: Mapping[str, Any], secrets: Sequence[str]) -> Any:  # noqa: ANN401 - a table
        """Put what verifies into the table ``webhook``."""
        ...

    def deliver(
        self, body: bytes, *, secret: str, at: datetime, event_id: str
    ) -> SignedWebhook:
        """Sign a body as sent at this time."""
        ...


@dataclass(frozen=True, slots=True)
class Macs:
    """Signs by HMAC, with a secret that both sides have."""

    form: SignatureForm

    def secret(self, digits: str) -> str:
        """Return the digits, which are base64 and text as well."""
        return self.form.key_prefix + digits

    def configured(
        self, raw: Mapping[str, Any], secrets: Sequence[str]
    ) -> dict[str, Any]:
        """Put the secrets themselves into the table."""
        return {**raw, "secrets": list(secrets)}

    def deliver(
        self, body: bytes, *, secret: str, at: datetime, event_id: str
    ) -> SignedWebhook:
        """Sign a body as sent at this time."""

        def made(content: bytes) -> bytes:
            return hmac.digest(self._key(secret), content, self.form.digest)

        return _delivery(self.form, body, made, at=at, event_id=event_id)

    def _key(self, secret: str) -> bytes:
        text = secret.removeprefix(self.form.key_prefix)
        match self.form.key_encoding:
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                return base64.b64decode(text)
            case "utf-8":
                return text.encode()


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Signs by a key of its own, in place of the provider's, which nobody has."""

    form: SignatureForm

    def secret(self, digits: str) -> str:
        """Make a private key."""
        return some_key(self.form.algorithm, digits)

    def configured(
        self, raw: Mapping[str, Any], secrets: Sequence[str]
    ) -> dict[str, Any]:
        """Put the public keys in place of those that are configured."""
        keys = [public_key_of(secret) for secret in secrets]
        return {**raw, "public_key": {**raw["public_key"], "keys": keys}}

    def deliver(
        self, body: bytes, *, secret: str, at: datetime, event_id: str
    ) -> SignedWebhook:
        """Sign a body as sent at this time."""

        def made(content: bytes) -> bytes:
            return signature_of(self.form.algorithm, secret, content)

        return _delivery(self.form, body, made, at=at, event_id=event_id)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sends a token as it is."""

    form: SignatureForm

    def secret(self, digits: str) -> str:
        """Return the digits."""
        return digits

    def configured(
        self, raw: Mapping[str, Any], secrets: Sequence[str]
    ) -> dict[str, Any]:
        """Put the tokens themselves into the table."""
        return {**raw, "secrets": list(secrets)}

    def deliver(
        self, body: bytes, *, secret: str, at: datetime, event_id: str
    ) -> SignedWebhook:
        """Add the token to a body."""
        del at
        headers = {self.form.header: self.form.prefix + secret}
        if self.form.event_id_header is not None:
            headers[self.form.event_id_header] = event_id
        return SignedWebhook(
            headers=headers, body=body, signed=frozenset({self.form.header})
        )


def _delivery(
    form: SignatureForm,
    body: bytes,
    made: Callable[[bytes], bytes],
    *,
    at: datetime,
    event_id: str,
) -> SignedWebhook:
    sent = _written(at, form.timestamp_unit) if form.timed else None
    event = event_id if form.event_id_header else None
    template = read_template(form)
    signature = made(template.filled(body, sent, event))
    items = [form.prefix + _ENCODERS[form.encoding](signature)]
    if form.timestamp_item is not None:
        items.insert(0, f"{form.timestamp_item}{sent}")
    headers = {form.header: (form.separator or "").join(items)}
    if form.timestamp_header and sent:
        headers[form.timestamp_header] = sent
    signed = set(headers)
    if form.event_id_header is not None:
        headers[form.event_id_header] = event_id
        signed |= {form.event_id_header} if Part.EVENT in template.pieces else set()
    return SignedWebhook(headers=headers, body=body, signed=frozenset(signed))


def _written(at: datetime, unit: str) -> str:
    if unit == "rfc3339":
        return at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(int(at.timestamp() * (1000 if unit == "ms" else 1)))


_ENCODERS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "base64": lambda made: base64.b64encode(made).decode("ascii"),
    "base64url": lambda made: base64.urlsafe_b64encode(made).decode("ascii"),
}


def signer_of(webhook: WebhookTable | None) -> Signer | None:
    """Return who signs as this table wants it; None for what the kit cannot sign."""
    if webhook is None:
        return None
    if webhook.scheme in FORMS:
        return Macs(FORMS[webhook.scheme])
    made: dict[str, Callable[[SignatureForm], Signer]] = {
        "hmac": Macs,
        "public-key": PrivateKeys,
        "token": Tokens,
    }
    own = webhook.form
    return None if own is None else made[webhook.scheme](own)
