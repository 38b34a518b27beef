"""API keys: who may call the HTTP API, as what, for whom, and until when."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from fsm.domain.ids import ID_LENGTH_MAX

NAME_FORM: Final = "1 to 64 of letters, digits and ._@-, the first no sign"
DATE_FORM: Final = "a date like 2026-12-31"
MERCHANTS_MAX: Final = 1000
ATTRIBUTES: Final = ("person", "merchants", "expires")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_PARTS: Final = 3


class KeyRole(StrEnum):
    """What the holder of a key may do (contract, section 2)."""

    VIEWER = "viewer"
    SUPPORT = "support"
    ADMIN = "admin"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is known here: its hash, never the key.

    ``merchants`` None: all of them. ``expires`` is the last day on which it is
    taken, to its end in UTC; None: no last day.
    """

    name: str
    role: KeyRole
    sha256: bytes = field(repr=False)
    person: str | None = None
    merchants: frozenset[str] | None = None
    expires: date | None = None

    @property
    def voter(self) -> str:
        """Return who speaks with this key: a person is one, with however many keys.

        A key that names nobody is itself a person, of its own name, so that a second
        key may name the first. Case makes no second person.
        """
        return (self.person or self.name).lower()

    def is_taken_on(self, day: date) -> bool:
        """Tell whether it has not expired before that day (UTC)."""
        return self.expires is None or day <= self.expires

    def may_touch(self, merchant_id: str) -> bool:
        """Tell whether the orders of a merchant are this key's business."""
        return self.merchants is None or merchant_id in self.merchants


def is_key_name(text: str) -> bool:
    """Tell whether a key or a person can have this name."""
    return _NAME.fullmatch(text) is not None


def is_key_hash(text: str) -> bool:
    """Tell whether this is a SHA-256 in hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None


def parse_date(text: str) -> date:
    """Read a day.

    :raises ValueError: it is none; says the form.
    """
    if _DATE.fullmatch(text) is None:
        raise ValueError(f"is not {DATE_FORM}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a date that exists") from None


def require_merchants(role: KeyRole, merchants: Iterable[str] | None) -> None:
    """Refuse merchants where they would bind nothing, or are none.

    :raises ValueError: says what is wrong, and repeats none of them.
    """
    if merchants is None:
        return
    if role is not KeyRole.UPSTREAM:
        raise ValueError("binds a role other than upstream to merchants")
    named = list(merchants)
    if not named or not all(map(_is_merchant, named)):
        raise ValueError("has merchants that are not ids")
    if len(named) > MERCHANTS_MAX:
        raise ValueError(f"has more than {MERCHANTS_MAX} merchants")


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Read ``name:role:sha256-hex[:attribute=value…]``, comma separated.

    :raises ValueError: says which entry, by its place, and never what it holds.
    """
    entries = [entry.strip() for entry in text.split(",")]
    keys = tuple(_key(n, entry) for n, entry in enumerate(entries, 1) if entry)
    if len({key.name.lower() for key in keys}) < len(keys):
        raise ValueError("has two keys of the same name")
    if len({key.sha256 for key in keys}) < len(keys):
        raise ValueError("has two names of the same key")
    return keys


def _key(place: int, entry: str) -> ApiKey:
    try:
        return _read(entry)
    except ValueError as wrong:
        message = f"has an entry {place} that {wrong}"
        raise ValueError(message) from None


def _read(entry: str) -> ApiKey:
    name, role, digest, *more = [*entry.split(":"), "", ""]
    more = more[:-2]
    if entry.count(":") < _PARTS - 1:
        raise ValueError("is not name:role:sha256-hex-of-the-key")
    if not is_key_name(name):
        raise ValueError(f"has a name that is not {NAME_FORM}")
    if role not in set(KeyRole):
        raise ValueError(f"has a role that is none of {', '.join(KeyRole)}")
    if not is_key_hash(digest):
        raise ValueError("has a hash that is not 64 hexadecimal digits")
    told = _attributes(more)
    merchants = told.get("merchants")
    bound = None if merchants is None else merchants.split("+")
    require_merchants(KeyRole(role), bound)
    return ApiKey(
        name,
        KeyRole(role),
        bytes.fromhex(digest),
        person=_person(told.get("person")),
        merchants=None if bound is None else frozenset(bound),
        expires=_expires(told.get("expires")),
    )


def _attributes(texts: Iterable[str]) -> Mapping[str, str]:
    pairs = list(_pairs(texts))
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("has an attribute twice")
    return told


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in ATTRIBUTES:
            known = ", ".join(f"{each}=…" for each in ATTRIBUTES)
            raise ValueError(f"has an attribute that is none of {known}")
        yield name, value


def _person(text: str | None) -> str | None:
    if text is not None and not is_key_name(text):
        raise ValueError(f"has a person that is not {NAME_FORM}")
    return text


def _expires(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return parse_date(text)
    except ValueError as wrong:
        raise ValueError(f"has an expires that {wrong}") from None


def _is_merchant(text: str) -> bool:
    is_bare = bool(text) and text.strip() == text and text.isprintable()
    return is_bare and len(text) <= ID_LENGTH_MAX
