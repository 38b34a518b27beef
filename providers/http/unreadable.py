"""Says in words what an answer is that is not the JSON it should be: never a guess."""

import codecs
import json
import re
from collections.abc import Mapping
from typing import Final

import orjson

from fsm.domain.masking import MASK, masked_prose
from fsm.domain.reading import shortened
from providers.http.outbound import Response

BEGINS_BYTES: Final = 64
CONTENT_TYPE_LENGTH_MAX: Final = 64
IDENTITY: Final = frozenset({"", "identity"})

_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What compressors begin with: gzip, zstd; deflate and brotli have no sign of their own.
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_JSON_NAMES: Final = {dict: "an object", list: "a list", str: "a text", bool: "a word"}
# A key or a token that the page repeats; words have no digits, and rarely this length.
_TOKEN_LIKE: Final = re.compile(r"(?=[A-Za-z_.~+/=-]*[0-9])[\w.~+/=-]{16,}", re.ASCII)


def unreadable(
    answer: Response, secrets: Mapping[str, str] | None = None
) -> tuple[str, dict[str, object]]:
    """Return what kind of body this is, and what the audit trail keeps of it.

    ``{"is", "content_type"?, "begins"?}``; ``secrets`` are hidden in it, as is what
    looks like a card or a token.
    """
    kind = kind_of(answer)
    kept: dict[str, object] = {"is": kind}
    said = answer.headers.get("content-type", "")
    if said:
        kept["content_type"] = shortened(masked_prose(said))[:CONTENT_TYPE_LENGTH_MAX]
    if begins := _begins(answer.body, secrets):
        kept["begins"] = begins
    return kind, kept


def kind_of(answer: Response) -> str:
    """Return what a body is, in a few words."""
    body = answer.body
    if not body.strip():
        return "empty"
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding not in IDENTITY:
        return f"compressed ({_word(coding)}), though identity was asked for"
    for sign, name in _COMPRESSED.items():
        if body.startswith(sign):
            return f"compressed ({name}), and does not say so"
    if body.startswith(_MARKS):
        return "JSON after a byte order mark" if _is_marked_json(body) else "no JSON"
    if body.lstrip()[:1] == b"<":
        html = b"<html" in body[:1024].lower() or b"<!doctype" in body[:64].lower()
        return "an HTML page" if html else "XML or HTML"
    return _kind_of_json(body)


def _kind_of_json(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    try:
        found: object = orjson.loads(body)
    except ValueError:
        return _nearly_json(body)
    if isinstance(found, dict):
        return "a JSON object in which a name occurs twice"
    return f"JSON, and {_JSON_NAMES.get(type(found), 'a number or null')}"


def _nearly_json(body: bytes) -> str:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        begun = body.lstrip()[:1] in {b"{", b"["}
        return "JSON that is cut off or broken" if begun else "no JSON"
    return "JSON with numbers or characters that it must not have"


def _is_marked_json(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return True


def _begins(body: bytes, secrets: Mapping[str, str] | None) -> str:
    """Return the first bytes as text; what is no text shows as dots."""
    # Masked before it is cut, since half a secret would not be recognised.
    text = body[: 4 * BEGINS_BYTES].decode("ascii", "replace").replace("\ufffd", ".")
    hidden = _TOKEN_LIKE.sub(MASK, masked_prose(text, secrets))
    return shortened(hidden)[:BEGINS_BYTES].strip()


def _word(text: str) -> str:
    return shortened(text)[:16]
