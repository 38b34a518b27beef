"""Makes key pairs for a provider's part, and signs with them."""

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import (
    SHA256,
    SHA384,
    SHA512,
    HashAlgorithm,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_BITS: Final = 2048
_HASHES: Final[dict[str, HashAlgorithm]] = {
    "sha256": SHA256(),
    "sha384": SHA384(),
    "sha512": SHA512(),
}


@cache
def some_key(algorithm: str, digits: str) -> str:
    """Return a private key in PEM, fit for the algorithm.

    That of a curve is made of the digits; one of RSA is another in every process.
    """
    key: Private
    if algorithm.startswith("rsa"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    elif algorithm.startswith("ecdsa"):
        # The order of P-256 has 256 bits, so what is shorter is below it.
        key = ec.derive_private_key(int(digits[:62], 16), ec.SECP256R1())
    else:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(digits))
    written = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.private_bytes(*written).decode("ascii")


def public_key_of(secret: str) -> str:
    """Return the public part of a private key, in PEM."""
    written = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _read(secret).public_key().public_bytes(*written).decode("ascii")


def signature_of(algorithm: str, secret: str, content: bytes) -> bytes:
    """Sign as the algorithm says."""
    key = _read(secret)
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(content)
    digest = _HASHES[algorithm.rsplit("-", 1)[-1]]
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
        return key.sign(
            content, pss if "-pss-" in algorithm else padding.PKCS1v15(), digest
        )
    made = key.sign(content, ec.ECDSA(digest))
    if "-raw-" not in algorithm:
        return made
    size = -(-key.key_size // 8)
    return b"".join(half.to_bytes(size) for half in utils.decode_dss_signature(made))


@cache
def _read(secret: str) -> Private:
    key = load_pem_private_key(secret.encode(), None)
    if not isinstance(key, Private):
        raise TypeError("a key that nobody here has made")
    return key
