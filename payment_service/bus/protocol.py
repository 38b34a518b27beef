"""Messages as bytes on the wire, in NATS's own protocol."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Final

from payment_service.bus.subjects import PLAIN_WORD

_HEADER: Final = re.compile(rf"{PLAIN_WORD}: [ -~]*")
_FIRST_LINE: Final = "NATS/1.0\r\n"
_STATUS: Final = slice(9, 12)
_RESERVED: Final = "nats-"
_NUL: Final = b"\0"

RAW_HEADERS: Final = "X-Raw-Headers"
"""The whole block in base64, where its text is not what was sent."""


DIGITS_MAX: Final = 20


class Unprintable(ValueError):
    """A header that could forge another one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"header {name!r} is not printable ASCII")


def publication(subject: str, body: bytes, *, reply: str = "") -> bytes:
    """Return a PUB; the subjects have been checked by the caller."""
    line = f"PUB {subject} {reply} {len(body)}\r\n"
    return b"%b%b\r\n" % (line.encode(), body)


def publication_with_headers(
    subject: str, body: bytes, *, reply: str, headers: Iterable[tuple[str, str]]
) -> bytes:
    """Return an HPUB.

    :raises Unprintable: a header can be sent by nobody.
    """
    lines = [_FIRST_LINE]
    for name, value in headers:
        header = f"{name}: {value}"
        if _HEADER.fullmatch(header) is None:
            raise Unprintable(name)
        lines += (header, "\r\n")
    lines.append("\r\n")
    block = "".join(lines)
    total = len(block) + len(body)
    line = f"HPUB {subject} {reply} {len(block)} {total}\r\n{block}"
    return b"%b%b\r\n" % (line.encode(), body)


def foreign(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Leave out JetStream's own: a copied ``Nats-Rollup`` would empty a stream."""
    return (
        (name, value)
        for name, value in headers.items()
        if not name.lower().startswith(_RESERVED)
    )


def headers_of(block: bytes | None) -> dict[str, str]:
    """Return the headers of a received message, as text that can be kept.

    A line without a colon is left out. Where a byte has no place in a text, the block
    as it came is among them too.
    """
    if not block:
        return {}
    found = {}
    for line in text_of(block).split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip()
    if not is_text(block):
        found[RAW_HEADERS] = b64encode(block).decode()
    return found


def is_text(raw: bytes) -> bool:
    """Tell whether it is UTF-8 that a database keeps."""
    if _NUL in raw:
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def text_of(raw: bytes) -> str:
    r"""Return it as text that a database keeps; another byte becomes ``\xff``."""
    return raw.decode(errors="backslashreplace").replace("\0", r"\x00")


def number_of(text: str | bytes) -> int | None:
    """Return a number that a server wrote; None for anything else."""
    if not 0 < len(text) <= DIGITS_MAX or not text.isascii() or not text.isdigit():
        return None
    return int(text)


def status_of(block: bytes | None) -> int:
    """Return the code of a message that is news from the server, else 0."""
    digits = block[_STATUS] if block else b""
    return int(digits) if digits.isdigit() else 0


def description_of(block: bytes | None) -> str:
    first, _, _ = (block or b"").partition(b"\r\n")
    return first[_STATUS.stop + 1 :].decode(errors="replace")
