"""Signs with the seed of an nkey: an Ed25519 key in NATS's own spelling."""

import binascii
from base64 import b32decode, b32encode, b64encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED: Final = 18 << 3
"""What a seed's first byte begins with; the kind of its owner follows in 5 bits."""

_KEY: Final = slice(2, 34)
_BYTES: Final = 36


class BadSeed(ValueError):
    """It is not the seed of an nkey."""

    def __init__(self) -> None:
        super().__init__("not the seed of an nkey")


class Nkey:
    """A key pair; raises :class:`BadSeed` for what is no seed."""

    def __init__(self, seed: str) -> None:
        try:
            raw = b32decode(seed.encode() + b"=" * (-len(seed) % 8))
        except (binascii.Error, UnicodeEncodeError) as error:
            raise BadSeed from error
        is_whole = len(raw) == _BYTES and _checksum(raw[:-2]) == raw[-2:]
        if not is_whole or raw[0] & ~0b111 != SEED:
            raise BadSeed
        self._kind = (raw[0] & 0b111) << 5 | raw[1] >> 3
        self._key = Ed25519PrivateKey.from_private_bytes(raw[_KEY])

    @property
    def public(self) -> str:
        """The public key as NATS writes it, such as ``UABC…`` for a user."""
        raw = bytes([self._kind]) + self._key.public_key().public_bytes_raw()
        return b32encode(raw + _checksum(raw)).decode().rstrip("=")

    def sign(self, text: bytes) -> bytes:
        """Return the signature in base64."""
        return b64encode(self._key.sign(text))


def _checksum(raw: bytes) -> bytes:
    # CRC-16/XMODEM, the low byte first.
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")
