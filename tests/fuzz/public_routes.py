"""The routes whose providers sign with a key of their own, and the one of a token."""

import base64
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
    utils,
)

from tests.fuzz import second
from tests.fuzz.route import KEY, OLD_KEY, Pairs, Route, Wish, payout, rotated

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_KNOWN: Final = (KEY, OLD_KEY)
_HALF: Final = 32


@cache
def rsa_key(_: bytes) -> rsa.RSAPrivateKey:
    """Make one key for each name: no run depends on which."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def curve_key(name: bytes) -> ec.EllipticCurvePrivateKey:
    """Make the key of P-256 whose number is the name."""
    return ec.derive_private_key(int.from_bytes(name[:31]), ec.SECP256R1())


@cache
def edwards_key(name: bytes) -> ed25519.Ed25519PrivateKey:
    """Make the Ed25519 key whose seed is the name."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(name.ljust(_HALF)[:_HALF])


def public_routes() -> list[Route]:
    """Return one route for every kind of key, and one for a bare token."""
    return [
        Route(
            name="bought",
            table=_table(rotated(_rsa_pem, "keys"), _BOUGHT),
            sign=_bought,
            second=second.bought([rsa_key(key).public_key() for key in _KNOWN]),
            compose=payout,
        ),
        Route(
            name="curved",
            table=_table(rotated(_curve_der, "keys"), _CURVED),
            sign=_curved,
            second=second.curved([curve_key(key).public_key() for key in _KNOWN]),
            compose=payout,
        ),
        Route(
            name="halved",
            table=_table(rotated(_curve_der, "keys"), _HALVED),
            sign=_halved,
            second=second.halved([curve_key(key).public_key() for key in _KNOWN]),
            compose=payout,
        ),
        Route(
            name="edwards",
            table=_table(rotated(_edwards_bare, "keys"), _EDWARDS),
            sign=_edwards,
            second=second.edwards([edwards_key(key).public_key() for key in _KNOWN]),
            compose=payout,
        ),
        Route(
            name="token",
            table=(
                f'{_REST}webhook = {{ scheme = "token", {rotated(bytes.hex)}, '
                'token = { header = "X-Token", event_id_header = "X-Event" } }\n'
            ),
            sign=lambda _, wish: [
                ("x-token", wish.key.hex()),
                ("x-event", wish.event),
            ],
            second=second.token([key.hex() for key in _KNOWN]),
            compose=payout,
        ),
    ]


_REST: Final = 'adapter = "rest"\nbase_url = "https://provider.example"\n'
_BOUGHT: Final = (
    'algorithm = "rsa-sha256", header = "X-Signature-SHA256", '
    'event_id_header = "X-Delivery-Id"'
)
_CURVED: Final = (
    'algorithm = "ecdsa-sha256", header = "X-Curved", template = "{ts}{body}", '
    'timestamp_header = "X-Curved-Time", event_id_pointer = "/id"'
)
_HALVED: Final = (
    'algorithm = "ecdsa-raw-sha256", header = "X-Halved", encoding = "base64url", '
    'event_id_pointer = "/id"'
)
_EDWARDS: Final = (
    'algorithm = "ed25519", header = "X-E", separator = " ", prefix = "v1a,", '
    'template = "{id}.{ts}.{body}", timestamp_header = "X-E-Sent", '
    'event_id_header = "X-E-Id"'
)


def _table(keys: str, knobs: str) -> str:
    key = f"public_key = {{ {knobs}, {keys} }}"
    return f'{_REST}webhook = {{ scheme = "public-key", {key} }}\n'


def _rsa_pem(name: bytes) -> str:
    written = _spki(rsa_key(name).public_key(), serialization.Encoding.PEM)
    return written.decode()


def _curve_der(name: bytes) -> str:
    written = _spki(curve_key(name).public_key(), serialization.Encoding.DER)
    return base64.b64encode(written).decode()


def _edwards_bare(name: bytes) -> str:
    bare = edwards_key(name).public_key().public_bytes_raw()
    return "whpk_" + base64.b64encode(bare).decode()


def _spki(key: Public, encoding: serialization.Encoding) -> bytes:
    return key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def _bought(body: bytes, wish: Wish) -> Pairs:
    made = rsa_key(wish.key).sign(body, padding.PKCS1v15(), hashes.SHA256())
    return [
        ("x-signature-sha256", base64.b64encode(made).decode()),
        ("x-delivery-id", wish.event),
    ]


def _curved(body: bytes, wish: Wish) -> Pairs:
    content = str(wish.sent).encode() + body
    made = curve_key(wish.key).sign(content, ec.ECDSA(hashes.SHA256()))
    return [
        ("x-curved", base64.b64encode(made).decode()),
        ("x-curved-time", str(wish.sent)),
    ]


def _halved(body: bytes, wish: Wish) -> Pairs:
    made = curve_key(wish.key).sign(body, ec.ECDSA(hashes.SHA256()))
    halves = utils.decode_dss_signature(made)
    raw = b"".join(half.to_bytes(_HALF) for half in halves)
    return [("x-halved", base64.urlsafe_b64encode(raw).decode().rstrip("="))]


def _edwards(body: bytes, wish: Wish) -> Pairs:
    content = f"{wish.event}.{wish.sent}.".encode() + body
    made = base64.b64encode(edwards_key(wish.key).sign(content)).decode()
    return [
        ("x-e", f"v1a,{made}"),
        ("x-e-id", wish.event),
        ("x-e-sent", str(wish.sent)),
    ]
