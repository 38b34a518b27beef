"""API keys: who may call the HTTP API, and as what."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_PARTS: Final = 3


class KeyRole(StrEnum):
    """What the holder of a key may do (contract, section 2)."""

    VIEWER = "viewer"
    SUPPORT = "support"
    ADMIN = "admin"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the settings know it: its hash, never the key."""

    name: str
    role: KeyRole
    sha256: bytes = field(repr=False)


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Read ``name:role:sha256-hex``, comma separated.

    :raises ValueError: says which entry, by its place, and never what it holds.
    """
    entries = [entry.strip() for entry in text.split(",")]
    keys = tuple(_key(n, entry) for n, entry in enumerate(entries, 1) if entry)
    if len({key.name for key in keys}) < len(keys):
        raise ValueError("has two keys of the same name")
    if len({key.sha256 for key in keys}) < len(keys):
        raise ValueError("has two names of the same key")
    return keys


def _key(place: int, entry: str) -> ApiKey:
    name, role, digest = _parts(place, entry)
    if not _NAME.fullmatch(name):
        problem = "name is not of letters, digits and ._@-"
    elif role not in set(KeyRole):
        problem = f"role is not one of {', '.join(KeyRole)}"
    elif not _SHA256.fullmatch(digest):
        problem = "hash is not 64 hexadecimal digits"
    else:
        return ApiKey(name, KeyRole(role), bytes.fromhex(digest))
    message = f"has an entry {place} whose {problem}"
    raise ValueError(message)


def _parts(place: int, entry: str) -> list[str]:
    parts = entry.split(":")
    if len(parts) != _PARTS:
        message = f"has an entry {place} that is not name:role:sha256-hex-of-the-key"
        raise ValueError(message)
    return parts
