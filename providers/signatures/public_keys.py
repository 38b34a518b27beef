"""Signatures by a key that only the provider has: RSA, ECDSA, Ed25519."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import (
    SHA256,
    SHA384,
    SHA512,
    HashAlgorithm,
)
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)

from providers.signatures.encodings import from_base64, from_hex
from providers.signatures.scheme import require_windows
from providers.signatures.settings import SchemeSettings, Secret, SignatureForm, Unsafe
from providers.signatures.signed import SignatureVerifier, require_spelt_out

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
KEYS_MAX: Final = 8
STANDARD_PREFIX: Final = "whpk_"
PEM: Final = "-----BEGIN"

_RAW_SIZE: Final = 32
_KEYS: Final = "public_key.keys"
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_HASHES: Final[Mapping[str, HashAlgorithm]] = {
    "sha256": SHA256(),
    "sha384": SHA384(),
    "sha512": SHA512(),
}
# Whose order is small: a signature by one of these holds for anything.
_SMALL: Final = frozenset(
    {
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
        ),
        bytes.fromhex(
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
        ),
        b"\xec" + b"\xff" * 30 + b"\x7f",
        b"\xed" + b"\xff" * 30 + b"\x7f",
        b"\xee" + b"\xff" * 30 + b"\x7f",
    }
)
_SIGN_BIT: Final = 0x80

Key = RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey
Verify = Callable[[bytes, bytes], None]
"""Takes a signature and what was signed; raises InvalidSignature."""


@dataclass(frozen=True, slots=True)
class _Counting:
    verify: Verify
    window: Secret


class PublicKeys:
    """Holds a signature against every key that counts."""

    def __init__(self, form: SignatureForm, settings: SchemeSettings) -> None:
        if not settings.keys:
            raise Unsafe(_KEYS, "must have at least one key")
        if len(settings.keys) > KEYS_MAX:
            raise Unsafe(_KEYS, f"must not have more than {KEYS_MAX} keys")
        require_windows(settings.keys, _KEYS)
        make = ALGORITHMS.get(form.algorithm)
        if make is None:
            raise form.unsafe("algorithm", f"must be one of {', '.join(ALGORITHMS)}")
        self._keys = [
            _Counting(make(read_key(each.value)), each) for each in settings.keys
        ]

    def fits(self, signature: bytes) -> bool:
        """True for up to the size of the longest key."""
        return len(signature) <= RSA_BITS_MAX // 8

    def holds(self, signatures: Sequence[bytes], content: bytes, now: datetime) -> bool:
        """Try every pair; nothing of it is secret."""
        return any(
            _is_by(key.verify, signature, content)
            for key in self._keys
            if key.window.counts(now)
            for signature in signatures
        )


def of_the_configuration(settings: SchemeSettings) -> SignatureVerifier:
    """Make the check of a form that the configuration spells out.

    :raises Unsafe: it would protect less than it seems to.
    """
    form = settings.public_key
    if form is None:
        raise Unsafe("public_key", "is missing")
    if settings.secrets:
        raise Unsafe("secrets", "has no meaning where a public key verifies")
    require_spelt_out(form, settings)
    return SignatureVerifier(form, settings, PublicKeys(form, settings))


def read_key(text: str) -> Key:
    """Read a key, or the one in a certificate: PEM, base64 of DER, or 32 plain bytes.

    Of a certificate only the key counts: from when until when is the key's own window.

    :raises Unsafe: it is none, it is secret, or it is weak.
    """
    # An environment variable often has the two signs \n in place of an end of line.
    told = text.replace("\\n", "\n").strip()
    if "PRIVATE KEY-----" in told:
        raise Unsafe(_KEYS, "must have public keys: this one is private")
    try:
        key = _pem_key(told) if told.startswith(PEM) else _bare_key(told)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if key is None:
        problem = "must have keys in PEM, or base64 of DER, or the file that holds one"
        raise Unsafe(_KEYS, problem)
    return key


def is_bare_key(text: str) -> bool:
    """True for a key without PEM's lines around it, and not the name of a file."""
    try:
        return _bare_key(text) is not None
    except (ValueError, UnsupportedAlgorithm):
        return False


def _pem_key(text: str) -> Key | None:
    if "CERTIFICATE-----" in text:
        (found,) = x509.load_pem_x509_certificates(text.encode())
        return _known(found.public_key())
    return _known(load_pem_public_key(text.encode()))


def _bare_key(text: str) -> Key | None:
    plain = "".join(text.split()).removeprefix(STANDARD_PREFIX)
    data = from_hex(plain) if len(plain) == 2 * _RAW_SIZE else from_base64(plain)
    if data is not None and len(data) == _RAW_SIZE:
        return Ed25519PublicKey.from_public_bytes(data)
    return None if not data else _known(load_der_public_key(data))


def _known(key: object) -> Key | None:
    kinds = RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey
    return key if isinstance(key, kinds) else None


def _rsa(key: Key, digest: HashAlgorithm, *, pss: bool) -> Verify:
    if not isinstance(key, RSAPublicKey):
        raise Unsafe(_KEYS, "must have RSA keys where the algorithm is one of RSA")
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        limits = f"{RSA_BITS_MIN} to {RSA_BITS_MAX}"
        problem = f"must have RSA keys of {limits} bits: this one has {key.key_size}"
        raise Unsafe(_KEYS, problem)
    filling = (
        padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
        if pss
        else padding.PKCS1v15()
    )
    return lambda signature, content: key.verify(signature, content, filling, digest)


def _ecdsa(key: Key, digest: HashAlgorithm, *, raw: bool) -> Verify:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unsafe(_KEYS, "must have keys of a curve where the algorithm is ECDSA")
    if not isinstance(key.curve, _CURVES):
        curves = ", ".join(curve.name for curve in _CURVES)
        problem = f"must have keys of {curves}: this one is of {key.curve.name}"
        raise Unsafe(_KEYS, problem)
    algorithm, size = ec.ECDSA(digest), -(-key.key_size // 8)

    def verify(signature: bytes, content: bytes) -> None:
        told = _der(signature, size) if raw else signature
        key.verify(told, content, algorithm)

    return verify


def _der(signature: bytes, size: int) -> bytes:
    if len(signature) != 2 * size:
        raise InvalidSignature
    halves = (signature[:size], signature[size:])
    return encode_dss_signature(*(int.from_bytes(half) for half in halves))


def _ed25519(key: Key) -> Verify:
    if not isinstance(key, Ed25519PublicKey):
        raise Unsafe(_KEYS, "must have Ed25519 keys where the algorithm is ed25519")
    plain = bytearray(key.public_bytes_raw())
    plain[-1] &= ~_SIGN_BIT
    if bytes(plain) in _SMALL:
        raise Unsafe(_KEYS, "must have no key of small order: anybody signs for it")
    return key.verify


def _is_by(verify: Verify, signature: bytes, content: bytes) -> bool:
    try:
        verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _algorithms() -> dict[str, Callable[[Key], Verify]]:
    found: dict[str, Callable[[Key], Verify]] = {}
    for name, digest in _HASHES.items():
        found[f"rsa-{name}"] = partial(_rsa, digest=digest, pss=False)
        found[f"rsa-pss-{name}"] = partial(_rsa, digest=digest, pss=True)
        found[f"ecdsa-{name}"] = partial(_ecdsa, digest=digest, raw=False)
        found[f"ecdsa-raw-{name}"] = partial(_ecdsa, digest=digest, raw=True)
    return {**found, "ed25519": _ed25519}


ALGORITHMS: Final[Mapping[str, Callable[[Key], Verify]]] = _algorithms()
"""By name; PKCS #1 v1.5 and DER where it does not say otherwise."""
