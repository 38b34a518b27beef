"""One provider for each scheme: its configuration, its signer and its second check."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.fuzz import second
from tests.fuzz.public_routes import public_routes
from tests.fuzz.route import (
    DEAD_KEY,
    KEY,
    NEXT_KEY,
    NOW,
    OLD_KEY,
    Pairs,
    Route,
    Wish,
    payout,
    rotated,
)
from tests.fuzz.second import base64_of, hex_of

__all__ = [
    "CERTIFICATE_URL",
    "DEAD_KEY",
    "KEY",
    "NEXT_KEY",
    "NOW",
    "OLD_KEY",
    "WEBHOOK_ID",
    "Pairs",
    "PaypalKey",
    "Route",
    "Wish",
    "adyen_body",
    "adyen_item",
    "configuration",
    "routes",
]

CERTIFICATE_URL: Final = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42"
WEBHOOK_ID: Final = "8PT597110X687430LKGECATA"


@dataclass(frozen=True, slots=True)
class PaypalKey:
    """A key as PayPal would have one, and the certificate that names it."""

    private: rsa.RSAPrivateKey
    pem: str

    @classmethod
    def made(cls) -> "PaypalKey":
        """Make a new one."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        common = "messageverificationcerts.paypal.com"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=30))
            .not_valid_after(NOW + timedelta(days=30))
            .sign(private, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return cls(private, pem)

    def signature(self, content: bytes) -> str:
        """Sign as PayPal does."""
        made = self.private.sign(content, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(made).decode()


def deep_payout(event: str, reference: str) -> bytes:
    """Write a body whose event stands deeper."""
    told = {"data": [{"id/x": event}], "type": "payout.failed", "reference": reference}
    return json.dumps(told).encode()


def adyen_item(event: str, reference: str, key: bytes = KEY) -> dict[str, object]:
    """Write one signed item."""
    item: dict[str, object] = {
        "pspReference": event,
        "merchantAccountCode": "TestMerchant",
        "merchantReference": reference,
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    signature = base64_of(key, second.adyen_content(item))
    return {**item, "additionalData": {"hmacSignature": signature}}


def adyen_body(*items: Mapping[str, object]) -> bytes:
    """Write a notification."""
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def several_payouts(event: str, reference: str) -> bytes:
    """Write a body with two events, the second of which nobody can use."""
    first = {"id": event, "type": "payout.succeeded", "reference": reference}
    return json.dumps({"events": [first, {"id": f"{event}-b", "odd": 1}]}).encode()


def routes(paypal: PaypalKey) -> list[Route]:
    """Return one route for every scheme, and three for the one with knobs."""
    known = (KEY, OLD_KEY)
    return [
        Route(
            name="standard",
            table=_rest("standard", "", _whsec),
            sign=_standard,
            second=second.standard(known),
            compose=payout,
        ),
        Route(
            name="stripe",
            table=_rest("stripe", "", bytes.decode),
            sign=_stripe,
            second=second.stripe(known),
            compose=payout,
        ),
        Route(
            name="hmac-sha256",
            table=_rest("hmac-sha256", "", bytes.decode),
            sign=_plain,
            second=second.plain(known),
            compose=payout,
        ),
        Route(
            name="checkout",
            table=_rest("checkout", "", bytes.decode),
            sign=lambda body, wish: [("cko-signature", hex_of(wish.key, body))],
            second=second.checkout(known),
            compose=payout,
        ),
        Route(
            name="adyen-platform",
            table=_rest("adyen-platform", "", bytes.hex),
            sign=lambda body, wish: [("hmacsignature", base64_of(wish.key, body))],
            second=second.adyen_platform(known),
            compose=payout,
        ),
        Route(
            name="adyen",
            table=_listening("adyen", rotated(bytes.hex)),
            sign=_in_the_body,
            second=second.adyen(known),
            compose=lambda event, reference: adyen_body(adyen_item(event, reference)),
        ),
        _paypal(paypal),
        Route(
            name="listed",
            table=_rest("hmac", _LISTED, bytes.decode),
            sign=_listed,
            second=second.listed(known),
            compose=deep_payout,
        ),
        Route(
            name="joined",
            table=_rest("hmac", _JOINED, bytes.decode),
            sign=_joined,
            second=second.joined(known),
            compose=payout,
        ),
        Route(
            name="chained",
            table=_rest("hmac", _CHAINED, bytes.hex),
            sign=_chained,
            second=second.chained(known),
            compose=payout,
        ),
        _headed("several", 'events_at = "events"', several_payouts, second.ids_listed),
        _headed("composed", 'event_id = ["id", "type"]', payout, second.ids_composed),
        _headed("hashed", 'event_id = "body-hash"', payout, lambda _: []),
        *public_routes(),
    ]


_LISTED: Final = (
    'header = "X-Listed", separator = ";", prefix = "s=", timestamp_item = "t=", '
    'timestamp_unit = "ms", template = "v0:{ts}:{body}", tolerance_future = "5s", '
    'event_id_pointer = "/data/0/id~1x" }, tolerance = "1m"'
)
_JOINED: Final = (
    'header = "X-Webhook-Signature", encoding = "base64", template = "{ts}{body}", '
    'timestamp_header = "X-Webhook-Timestamp", event_id_header = "X-Event" }'
)
_CHAINED: Final = (
    'header = "X-Chained", prefix = "v2=", digest = "sha512", key_encoding = "hex", '
    'template = "{method}{path}|{id}|{ts}\\n{body}", path = "/hooks/chained", '
    'timestamp_header = "X-Sent", event_id_header = "X-Id" }'
)


def _rest(scheme: str, knobs: str, write: Callable[[bytes], str]) -> str:
    more = f", hmac = {{ {knobs}" if knobs else ""
    return (
        'adapter = "rest"\nbase_url = "https://provider.example"\n'
        f'webhook = {{ scheme = "{scheme}", {rotated(write)}{more} }}\n'
    )


def _headed(
    name: str,
    events: str,
    compose: Callable[[str, str], bytes],
    ids: Callable[[bytes], list[str]],
) -> Route:
    """Return a route whose events are told apart by the table."""
    header = f"x-{name}"
    return Route(
        name=name,
        table=_rest("hmac", f'header = "{header}" }}, {events}', bytes.decode),
        sign=lambda body, wish: [(header, hex_of(wish.key, body))],
        second=second.headed((KEY, OLD_KEY), header),
        compose=compose,
        ids=ids,
    )


def _listening(scheme: str, knobs: str) -> str:
    return (
        'adapter = "tests.fuzz.listener:Listener"\n'
        f'webhook = {{ scheme = "{scheme}", {knobs} }}\n'
    )


def _whsec(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def _in_the_body(body: bytes, wish: Wish) -> Pairs:
    del body, wish
    return []


def _standard(body: bytes, wish: Wish) -> Pairs:
    content = f"{wish.event}.{wish.sent}.".encode() + body
    return [
        ("webhook-id", wish.event),
        ("webhook-timestamp", str(wish.sent)),
        ("webhook-signature", f"v1,{base64_of(wish.key, content)}"),
    ]


def _stripe(body: bytes, wish: Wish) -> Pairs:
    mac = hex_of(wish.key, f"{wish.sent}.".encode() + body)
    return [("stripe-signature", f"t={wish.sent},v1={mac}")]


def _plain(body: bytes, wish: Wish) -> Pairs:
    mac = hex_of(wish.key, body)
    return [("x-signature", f"sha256={mac}"), ("x-event-id", wish.event)]


def _listed(body: bytes, wish: Wish) -> Pairs:
    sent = wish.sent * 1000
    mac = hex_of(wish.key, f"v0:{sent}:".encode() + body)
    return [("x-listed", f"t={sent};s={mac}")]


def _joined(body: bytes, wish: Wish) -> Pairs:
    return [
        ("x-webhook-signature", base64_of(wish.key, str(wish.sent).encode() + body)),
        ("x-webhook-timestamp", str(wish.sent)),
        ("x-event", wish.event),
    ]


def _chained(body: bytes, wish: Wish) -> Pairs:
    content = f"POST/hooks/chained|{wish.event}|{wish.sent}\n".encode() + body
    return [
        ("x-chained", f"v2={hex_of(wish.key, content, 'sha512')}"),
        ("x-sent", str(wish.sent)),
        ("x-id", wish.event),
    ]


def _paypal(key: PaypalKey) -> Route:
    def sign(body: bytes, wish: Wish) -> Pairs:
        sent = datetime.fromtimestamp(wish.sent, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # A key that is not theirs is as good as another subscription.
        webhook_id = WEBHOOK_ID if wish.key in {KEY, OLD_KEY} else "0WH000000000000000"
        content = second.paypal_content(wish.event, sent, webhook_id, body)
        return [
            ("paypal-transmission-id", wish.event),
            ("paypal-transmission-time", sent),
            ("paypal-transmission-sig", key.signature(content)),
            ("paypal-cert-url", CERTIFICATE_URL),
            ("paypal-auth-algo", "SHA256withRSA"),
        ]

    pin = f'"{CERTIFICATE_URL}" = {json.dumps(key.pem)}'
    knobs = f'paypal = {{ webhook_id = "{WEBHOOK_ID}", certificates = {{ {pin} }} }}'
    return Route(
        name="paypal",
        table=_listening("paypal", knobs),
        sign=sign,
        second=second.paypal(key.private.public_key(), CERTIFICATE_URL, WEBHOOK_ID),
        compose=payout,
    )


def configuration(all_routes: list[Route]) -> str:
    """Write the configuration file of all routes."""
    return "\n".join(f"[providers.{one.name}]\n{one.table}" for one in all_routes)
