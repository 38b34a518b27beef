"""Hides what must not be seen, in whatever goes out: the one place that knows what.

Card numbers (:mod:`.cards`), secrets by the name they stand under, secrets by what they
look like, and secrets by value: those that the process itself was given.
"""

import base64
import binascii
import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

import orjson

from fsm.domain.cards import Span, cards_in, numbers_in
from fsm.domain.secret_patterns import BEARER, HEADER, HINTS, LOOKS_SECRET, NAMED

MASK: Final = "***"
DEPTH_MAX: Final = 64
# What is shorter hides nothing, and hiding it would spoil every sentence.
SECRET_LENGTH_MIN: Final = 6
_CACHED_LENGTH_MAX: Final = 96
_UNFOLDED_MAX: Final = 3
_CARD_NUMBER_MIN: Final = 10**11
_CARD_NUMBER_MAX: Final = 10**19

# Of a name in small letters without signs: X-Api-Key, apiKey and API_KEY are one.
_SECRET_NAME: Final = re.compile(
    r"passw(?:or)?d|passphrase|passcode|secret|token|apikey|signature|cookie"
    r"|credential|privatekey|accesskey|signingkey|cardnumber|securitycode"
    r"|^(?:proxy)?authorization|authorization$|^auth$|^bearer$|^pwd$|^jwt$"
    r"|^pan$|^pin$|^cv[vc]2?$"
)
_DESTINATION: Final = "destination"
_PERSONAL: Final[Mapping[str, AbstractSet[str]]] = {
    _DESTINATION: frozenset({"type"}),
    "delivery": frozenset(),
}
"""Where money and goods go, and what of it is told all the same."""
_SIGNS: Final = re.compile(r"[\W_]+")
# Money is told as it is: any amount of 16 digits may pass for a card.
_AMOUNTS: Final = frozenset({"amount", "money_at_risk", "amount_received"})

_ESCAPED: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}", re.ASCII)
# Ours and those of traces: half of all texts of a log line.
_ID: Final = re.compile(
    r"[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24})", re.ASCII
)


class KnownSecrets:
    """The secrets that this process was given; nothing that it says holds them."""

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()
        self._shortest = 0

    def learn(self, secrets: Iterable[str], instead_of: Iterable[str] = ()) -> None:
        """Hide these from now on, also as an address writes them.

        ``instead_of`` are those that have ended: of tokens there are ever new ones.
        """
        known = set(self._values) - _spelled(instead_of)
        # The longest first: one may be a part of another.
        found = sorted(known | _spelled(secrets), key=lambda s: (-len(s), s))
        self._values = tuple(found)
        self._shortest = min(map(len, found), default=0)
        _short.cache_clear()

    def forget(self) -> None:
        """Hide none of them any more."""
        self._values = ()
        _short.cache_clear()

    def hide(self, text: str) -> str:
        """Return the text without them."""
        if len(text) < self._shortest:
            return text
        for secret in self._values:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def __contains__(self, text: str) -> bool:
        """True for a text that is one of them."""
        return text in self._values


def _spelled(secrets: Iterable[str]) -> set[str]:
    fresh = {s for s in secrets if len(s) >= SECRET_LENGTH_MIN}
    return fresh | {quote(secret, safe="") for secret in fresh}


KNOWN: Final = KnownSecrets()
"""Process-wide, as the log is: see decision 18."""


def masked(value: object, name: str = "", *, depth_max: int = DEPTH_MAX) -> object:
    """Return a copy of a tree of JSON without what must not be seen.

    What stands under the name of a secret is hidden whole, as are the values of a
    ``destination`` but its type, and those of a ``delivery``; every text is
    :func:`masked_text`, names too. What is no JSON is told as its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if name and is_secret_name(name):
        return MASK if value != "" else value
    if isinstance(value, str):
        return MASK if name == _DESTINATION else masked_text(value)
    if isinstance(value, int | float):
        return MASK if name not in _AMOUNTS and _is_card(value) else value
    if isinstance(value, Mapping | list | tuple | AbstractSet):
        return _masked_inside(value, name, depth_max)
    if isinstance(value, date | UUID):
        return value
    return masked_text(
        value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    )


def _masked_inside(
    value: Mapping[Any, object] | list[Any] | tuple[object, ...] | AbstractSet[object],
    name: str,
    depth_max: int,
) -> object:
    if depth_max == 0:
        return MASK
    if not isinstance(value, Mapping):
        return [masked(item, name, depth_max=depth_max - 1) for item in value]
    shown: dict[str, object] = {}
    for key, item in value.items():
        said = _unused(masked_text(str(key)), shown)
        hidden = said not in _PERSONAL.get(name, {said}) and item is not None
        shown[said] = (
            MASK if hidden else masked(item, str(key), depth_max=depth_max - 1)
        )
    return shown


def _unused(name: str, names: Mapping[str, object]) -> str:
    """Return a name that is free: two that were masked may look the same."""
    if name not in names:
        return name
    return next(
        free for n in range(2, len(names) + 3) if (free := f"{name} {n}") not in names
    )


def is_secret_name(name: str) -> bool:
    """True where what stands under this name is secret, however the name is written."""
    return _is_secret(name) if len(name) <= _CACHED_LENGTH_MAX else _secret(name)


def masked_text(text: str) -> str:
    """Return the text without card numbers and secrets; the rest stays as it is."""
    if len(text) > _CACHED_LENGTH_MAX:
        return _masked_text(text)
    return text if _ID.fullmatch(text) and text not in KNOWN else _short(text)


def masked_prose(text: str, secrets: Mapping[str, str] | None = None) -> str:
    """Return what a stranger wrote to people, also without numbers of accounts.

    ``secrets`` are a destination's values, which are hidden but for its type; also the
    beginning of one that a text was cut within.
    """
    for name, secret in (secrets or {}).items():
        if name != "type" and len(secret) >= 4:  # noqa: PLR2004 - as short as tokens are
            text = _without_cut(text.replace(secret, MASK), secret)
    text = masked_text(text)
    return _hidden(text, numbers_in(text))


def _without_cut(text: str, secret: str) -> str:
    """Hide a secret's beginning at the end of a text, which is as good as all of it."""
    if secret[:SECRET_LENGTH_MIN] not in text[-len(secret) :]:
        return text
    for length in range(len(secret) - 1, SECRET_LENGTH_MIN - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + MASK
    return text


def shortened_number(text: str) -> str:
    """Return an id that people must find again: of a card its first 6 and last 4."""
    spans = cards_in(text)
    for start, end in reversed(spans):
        text = f"{text[: start + 6]}{MASK}{text[end - 4 :]}"
    return text if spans else masked_text(text)


def _masked_text(text: str) -> str:
    if text[:1] in "{[" and (tree := _tree(text)) is not None:
        shown = masked(tree)
        return text if shown == tree else orjson.dumps(shown).decode()
    text = KNOWN.hide(text)
    lowered = text.lower()
    if any(hint in lowered for hint in HINTS):
        text = HEADER.sub(rf"\1\2{MASK}", text)
        text = BEARER.sub(rf"\1\2{MASK}", text)
        text = NAMED.sub(rf"\1{MASK}", text)
        text = LOOKS_SECRET.sub(MASK, text)
    text = _hidden(text, cards_in(text))
    return _BASE64.sub(_masked_base64, _unfolded(text))


@lru_cache(maxsize=4096)
def _short(text: str) -> str:
    return _masked_text(text)


def _tree(text: str) -> object:
    """Return the object or list that a text is, None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _unfolded(text: str) -> str:
    """Return the text, and as what it means where only that shows what it holds."""
    meant = text
    for _ in range(_UNFOLDED_MAX):
        before = meant
        if "%" in meant:
            meant = unquote(meant)
        if "&" in meant:
            meant = html.unescape(meant)
        if "\\u" in meant:
            meant = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), meant)
        if meant == before:
            break
    if meant == text:
        return text
    hidden = KNOWN.hide(_hidden(meant, cards_in(meant)))
    return text if hidden == meant else hidden


def _masked_base64(found: re.Match[str]) -> str:
    """Hide what is text in base64 that would be hidden as text."""
    word = found[0]
    try:
        data = base64.urlsafe_b64decode(
            word.rstrip("=").replace("+", "-").replace("/", "_") + "=="
        )
        said = data.decode("ascii")
    except (binascii.Error, ValueError):
        return word
    hidden = KNOWN.hide(_hidden(said, cards_in(said)))
    return word if hidden == said else MASK


def _hidden(text: str, spans: list[Span]) -> str:
    for start, end in reversed(spans):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return text


def _is_card(number: float) -> bool:
    if (
        not _CARD_NUMBER_MIN <= number < _CARD_NUMBER_MAX
        or math.trunc(number) != number
    ):
        return False
    return bool(cards_in(str(int(number))))


@lru_cache(maxsize=2048)
def _is_secret(name: str) -> bool:
    return _secret(name)


def _secret(name: str) -> bool:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _SECRET_NAME.search(_SIGNS.sub("", plain)) is not None
