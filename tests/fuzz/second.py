"""Signatures made and checked a second time, with nothing of ours: the oracle's eyes.

Written from the providers' own descriptions. It may forgive more than the service
does; what the service accepts and this refuses is a forgery.
"""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
    utils,
)

Headers = Mapping[str, Sequence[str]]
Second = Callable[[Headers, bytes, datetime], str | None]
"""The event's id of a genuine webhook, "" where it names none; None for every other."""

FUTURE_SECONDS: Final = 300
PAYPAL_SECONDS: Final = 4 * 86400
ADYEN_FIELDS: Final = (
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "value",
    "currency",
    "eventCode",
    "success",
)


def hex_of(key: bytes, content: bytes, digest: str = "sha256") -> str:
    """Make an HMAC in hexadecimal."""
    return hmac.new(key, content, digest).hexdigest()


def base64_of(key: bytes, content: bytes) -> str:
    """Make an HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()


def adyen_content(item: Mapping[str, object]) -> bytes:
    """Join what is signed of one item."""
    amount = item.get("amount") or {}
    told = {**item, **(amount if isinstance(amount, dict) else {})}
    return ":".join(str(told.get(name, "")) for name in ADYEN_FIELDS).encode()


def paypal_content(sent_id: str, sent: str, webhook_id: str, body: bytes) -> bytes:
    """Join what is signed of one transmission."""
    return f"{sent_id}|{sent}|{webhook_id}|{zlib.crc32(body)}".encode()


def loose_object(body: bytes) -> dict[str, object] | None:
    """Return the body where it is one JSON object; what is doubled is DOUBTFUL."""
    try:
        tree = loose(body)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def loose(body: bytes) -> object:
    """Return what a body says; nothing at all is None.

    :raises ValueError, RecursionError: it is no JSON.
    """
    plain = body.removeprefix(b"\xef\xbb\xbf").rstrip(b"\0 \t\r\n")
    text = plain.decode("utf-8", "surrogateescape")
    if not body.strip():
        return None
    # A number is as long as it is.
    return json.loads(
        text,
        object_pairs_hook=_once,
        parse_constant=_doubtful,
        parse_int=lambda digits: int(digits[:100]),
        strict=False,
    )


def standard(keys: Sequence[bytes]) -> Second:
    """Check Standard Webhooks."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        event, sent = one(headers, "webhook-id"), one(headers, "webhook-timestamp")
        if not near(sent, now, 300):
            return None
        content = f"{event}.{sent}.".encode() + body
        told = one(headers, "webhook-signature").split(" ")
        good = {f"v1,{base64_of(key, content)}" for key in keys}
        return event if event and good & set(told) else None

    return check


def stripe(keys: Sequence[bytes]) -> Second:
    """Check ``Stripe-Signature``."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        pairs = [
            item.split("=", 1)
            for item in one(headers, "stripe-signature").split(",")
            if "=" in item
        ]
        sent = next((value for name, value in pairs if name == "t"), "")
        good = {hex_of(key, f"{sent}.".encode() + body) for key in keys}
        told = {value.lower() for name, value in pairs if name == "v1"}
        return body_id(body) if near(sent, now, 300) and good & told else None

    return check


def plain(keys: Sequence[bytes]) -> Second:
    """Check ``X-Signature``."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del now
        good = {f"sha256={hex_of(key, body)}" for key in keys}
        holds = one(headers, "x-signature").lower() in good
        return one(headers, "x-event-id") if holds else None

    return check


def checkout(keys: Sequence[bytes]) -> Second:
    """Check ``Cko-Signature``."""
    return headed(keys, "cko-signature")


def headed(keys: Sequence[bytes], name: str) -> Second:
    """Check the HMAC of the body in a header."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del now
        good = {hex_of(key, body) for key in keys}
        return body_id(body) if one(headers, name).lower() in good else None

    return check


def adyen_platform(keys: Sequence[bytes]) -> Second:
    """Check ``hmacsignature``."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del now
        good = {base64_of(key, body) for key in keys}
        return body_id(body) if one(headers, "hmacsignature") in good else None

    return check


def adyen(keys: Sequence[bytes]) -> Second:
    """Check every item of a standard notification."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del headers, now
        tree = loose_object(body) or {}
        listed = tree.get("notificationItems")
        events = []
        for wrapped in listed if isinstance(listed, list) else []:
            item = wrapped["NotificationRequestItem"]
            told = item["additionalData"]["hmacSignature"]
            if told not in {base64_of(key, adyen_content(item)) for key in keys}:
                return None
            words = (item["pspReference"], item["eventCode"], item["success"])
            events.append(":".join(words))
        if len(events) < 2:
            return events[0] if events else None
        joined = "\n".join(sorted(events)).encode()
        return f"items:{hashlib.sha256(joined).hexdigest()}"

    return check


def paypal(key: rsa.RSAPublicKey, url: str, webhook_id: str) -> Second:
    """Check the ``PAYPAL-*`` headers by the one certificate."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        event = one(headers, "paypal-transmission-id")
        sent = one(headers, "paypal-transmission-time")
        content = paypal_content(event, sent, webhook_id, body)
        try:
            age = (now - datetime.fromisoformat(sent)).total_seconds()
            told = base64.b64decode(one(headers, "paypal-transmission-sig"))
            key.verify(told, content, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError, TypeError):
            return None
        fresh = -FUTURE_SECONDS <= age <= PAYPAL_SECONDS
        named = one(headers, "paypal-cert-url") == url
        return event if fresh and named and event else None

    return check


def listed(keys: Sequence[bytes]) -> Second:
    """Check ``t=MILLISECONDS;s=HEX``; the event stands deep in the body."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        items = [item.strip() for item in one(headers, "x-listed").split(";")]
        sent = next((item[2:] for item in items if item.startswith("t=")), "")
        good = {f"s={hex_of(key, f'v0:{sent}:'.encode() + body)}" for key in keys}
        told = {item.lower() if item.startswith("s=") else "" for item in items}
        if not near(sent, now, 60, future=5, unit=1000) or not good & told:
            return None
        data = (loose_object(body) or {}).get("data")
        if not isinstance(data, list) or not data or not isinstance(data[0], dict):
            return ""
        return str(data[0].get("id/x", ""))

    return check


def joined(keys: Sequence[bytes]) -> Second:
    """Check base64 of ``{ts}{body}``, as Cashfree signs."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        sent = one(headers, "x-webhook-timestamp")
        good = {base64_of(key, sent.encode("latin-1") + body) for key in keys}
        told = one(headers, "x-webhook-signature")
        # A digest of 32 bytes ends with one sign of padding, or with none.
        holds = bool({told, f"{told}="} & good) and near(sent, now, 300)
        return one(headers, "x-event") if holds else None

    return check


def chained(keys: Sequence[bytes]) -> Second:
    """Check SHA-512 over the method, the path, the id, the time and the body."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        event, sent = one(headers, "x-id"), one(headers, "x-sent")
        start = f"POST/hooks/chained|{event}|{sent}\n".encode("latin-1")
        good = {f"v2={hex_of(key, start + body, 'sha512')}" for key in keys}
        told = one(headers, "x-chained")
        told = told.lower() if told.startswith("v2=") else ""
        holds = told in good and near(sent, now, 300)
        return event or None if holds else None

    return check


def bought(keys: Sequence[rsa.RSAPublicKey]) -> Second:
    """Check base64 of RSA-SHA256 over the body, as Wise signs."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del now
        told = _base64(one(headers, "x-signature-sha256"))
        made = (padding.PKCS1v15(), hashes.SHA256())
        holds = any(_is_by(key, told, body, *made) for key in keys)
        return one(headers, "x-delivery-id") if holds else None

    return check


def curved(keys: Sequence[ec.EllipticCurvePublicKey]) -> Second:
    """Check base64 of ECDSA over ``{ts}{body}``, as SendGrid signs."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        sent = one(headers, "x-curved-time")
        told = _base64(one(headers, "x-curved"))
        content = sent.encode("latin-1") + body
        made = ec.ECDSA(hashes.SHA256())
        holds = any(_is_by(key, told, content, made) for key in keys)
        return body_id(body) if holds and near(sent, now, 300) else None

    return check


def halved(keys: Sequence[ec.EllipticCurvePublicKey]) -> Second:
    """Check ECDSA whose two halves stand side by side, in base64 for addresses."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del now
        text = one(headers, "x-halved")
        told = _base64(text.replace("-", "+").replace("_", "/"))
        r, s = (int.from_bytes(half) for half in (told[:32], told[32:]))
        made = (utils.encode_dss_signature(r, s), body, ec.ECDSA(hashes.SHA256()))
        holds = len(told) == 2 * 32 and any(_is_by(key, *made) for key in keys)
        return body_id(body) if holds else None

    return check


def edwards(keys: Sequence[ed25519.Ed25519PublicKey]) -> Second:
    """Check ``v1a,`` and base64 of Ed25519: Standard Webhooks with a public key."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        event, sent = one(headers, "x-e-id"), one(headers, "x-e-sent")
        content = f"{event}.{sent}.".encode("latin-1") + body
        items = [item.strip() for item in one(headers, "x-e").split(" ")]
        told = [_base64(item[4:]) for item in items if item.startswith("v1a,")]
        holds = any(_is_by(key, each, content) for key in keys for each in told)
        return event or None if holds and near(sent, now, 300) else None

    return check


def token(known: Sequence[str]) -> Second:
    """Check a token in a header."""

    def check(headers: Headers, body: bytes, now: datetime) -> str | None:
        del body, now
        holds = one(headers, "x-token") in known
        return one(headers, "x-event") if holds else None

    return check


def _is_by(key: Any, *told: Any) -> bool:
    try:
        key.verify(*told)
    except InvalidSignature:
        return False
    return True


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError:
        return b""


def one(headers: Headers, name: str) -> str:
    """Return the header's only value, or nothing."""
    values = headers.get(name, ())
    return values[0] if len(values) == 1 else ""


def near(
    sent: str, now: datetime, past: float, *, future: float | None = None, unit: int = 1
) -> bool:
    """True where the time is a number within the tolerance."""
    try:
        age = now.timestamp() - float(sent) / unit
    except ValueError:
        return False
    return -(past if future is None else future) <= age <= past


def body_id(body: bytes) -> str:
    """Return the ``id`` that stands in the body, or nothing."""
    found = (loose_object(body) or {}).get("id")
    return found if isinstance(found, str) and found.isprintable() else ""


def ids_listed(body: bytes) -> list[str]:
    """Return the ids of the events in the body's list that are about something."""
    listed = (loose_object(body) or {}).get("events")
    items = listed if isinstance(listed, list) else []
    told = [each for each in items if isinstance(each, dict)]
    return [each["id"] for each in told if "reference" in each]


def ids_composed(body: bytes) -> list[str]:
    """Return the id that two places of the body make together."""
    told = loose_object(body) or {}
    parts = [told.get("id"), told.get("type")]
    return [":".join(map(str, parts))] if all(isinstance(p, str) for p in parts) else []


DOUBTFUL: Final = object()


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = Counter(name for name, _ in pairs)
    return {name: value if names[name] == 1 else DOUBTFUL for name, value in pairs}


def _doubtful(_: str) -> object:
    return DOUBTFUL
