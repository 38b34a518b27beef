"""Decodes what is plain: Python's own decoders skip, forgive and guess."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Final

_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)
_BASE64: Final = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII
)
_STANDARD_SIGNS: Final = str.maketrans("-_", "+/")


def from_hex(text: str) -> bytes | None:
    """Decode hexadecimal in either case; None for anything else."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def from_base64(text: str) -> bytes | None:
    """Decode plain, padded base64 in its one right spelling; None for anything else."""
    if not _BASE64.fullmatch(text):
        return None
    decoded = base64.b64decode(text)
    return decoded if base64.b64encode(decoded) == text.encode("ascii") else None


def _padded_or_not(text: str) -> bytes | None:
    return from_base64(text if text.endswith("=") else text + "=" * (-len(text) % 4))


def _url_safe(text: str) -> bytes | None:
    if "+" in text or "/" in text:
        return None
    return _padded_or_not(text.translate(_STANDARD_SIGNS))


Decode = Callable[[str], bytes | None]

_DECODERS: Final[Mapping[str, Decode]] = {
    "hex": from_hex,
    "base64": _padded_or_not,
    "base64url": _url_safe,
}


def decoder(encoding: str, *, exact: bool) -> Decode:
    """Return how a signature is read; without ``exact`` base64 needs no padding."""
    return from_base64 if exact and encoding == "base64" else _DECODERS[encoding]
