"""Signs webhooks as a provider does that is configured so: every scheme of HMAC."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from payment_service.config import WebhookTable
from providers.signatures.forms import (
    ADYEN_PLATFORM,
    CHECKOUT,
    HMAC_SHA256,
    STANDARD,
    STRIPE,
)
from providers.signatures.settings import Form
from providers.signatures.template import Part, read_template

FORMS: Final[Mapping[str, Form]] = {
    "standard": STANDARD,
    "stripe": STRIPE,
    "hmac-sha256": HMAC_SHA256,
    "checkout": CHECKOUT,
    "adyen-platform": ADYEN_PLATFORM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook on its way; ``signed`` names the headers that nobody may change."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    signed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs in one form."""

    form: Form

    def secret(self, digits: str) -> str:
        """Make a secret of hexadecimal digits, which are base64 and text as well."""
        return self.form.key_prefix + digits

    def deliver(
        self, body: bytes, *, secret: str, at: datetime, event_id: str
    ) -> Delivery:
        """Sign a body as sent at this time."""
        form = self.form
        moment = at.timestamp() * (1000 if form.timestamp_unit == "ms" else 1)
        sent = str(int(moment)) if form.timed else None
        event = event_id if form.event_id_header else None
        template = read_template(form)
        mac = hmac.digest(
            self._key(secret), template.filled(body, sent, event), form.digest
        )
        items = [form.prefix + self._encoded(mac)]
        if form.timestamp_item is not None:
            items.insert(0, f"{form.timestamp_item}{sent}")
        headers = {form.header: (form.separator or "").join(items)}
        if form.timestamp_header and sent:
            headers[form.timestamp_header] = sent
        signed = set(headers)
        if form.event_id_header is not None:
            headers[form.event_id_header] = event_id
            signed |= {form.event_id_header} if Part.EVENT in template.pieces else set()
        return Delivery(headers=headers, body=body, signed=frozenset(signed))

    def _key(self, secret: str) -> bytes:
        text = secret.removeprefix(self.form.key_prefix)
        match self.form.key_encoding:
            case "hex":
                return bytes.fromhex(text)
            case "base64":
                return base64.b64decode(text)
            case "utf-8":
                return text.encode()

    def _encoded(self, mac: bytes) -> str:
        if self.form.encoding == "base64":
            return base64.b64encode(mac).decode("ascii")
        return mac.hex()


def signer_of(webhook: WebhookTable | None) -> Signer | None:
    """Return who signs as this table wants it; None for what the kit cannot sign."""
    if webhook is None:
        return None
    own = webhook.hmac.form if webhook.hmac else None
    form = own if webhook.scheme == "hmac" else FORMS.get(webhook.scheme)
    return None if form is None else Signer(form)
