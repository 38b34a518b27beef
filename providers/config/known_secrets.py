"""Tells the masking which secrets settings and configuration have given the process."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from fsm.domain.masking import KNOWN, is_secret_name

WHSEC: Final = "whsec_"
# A header may say a version or a format; what has a digit and some length is a key.
_KEY_LIKE: Final = re.compile(r"(?=.*[0-9]).{16,}")
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token)\s+", re.IGNORECASE)


def learn(source: object) -> None:
    """Hide every secret of a model from now on, wherever this process tells of it."""
    KNOWN.learn(secrets_in(source))


def secrets_in(source: object, name: str = "") -> Iterator[str]:
    """Give every secret text of a model, and those within addresses."""
    if isinstance(source, SecretStr):
        yield from _texts(source.get_secret_value())
    elif isinstance(source, bytes):
        yield source.hex()  # as settings spell keys
    elif isinstance(source, BaseModel):
        for field in type(source).model_fields:
            yield from secrets_in(getattr(source, field), field)
    elif is_dataclass(source) and not isinstance(source, type):
        for each in fields(source):
            yield from secrets_in(getattr(source, each.name), each.name)
    elif isinstance(source, Mapping):
        for key, item in source.items():
            if name != "headers" or _is_key(str(key), item):
                yield from secrets_in(item, str(key))
    elif isinstance(source, list | tuple | set | frozenset):
        for item in source:
            yield from secrets_in(item, name)


def _is_key(name: str, value: object) -> bool:
    said = value.get_secret_value() if isinstance(value, SecretStr) else ""
    return is_secret_name(name) or _KEY_LIKE.fullmatch(said) is not None


def _texts(secret: str) -> Iterator[str]:
    if "://" in secret:
        for address in secret.split(","):
            yield from _of_address(address)
        return
    yield secret
    bare = _SCHEME.sub("", secret, count=1).removeprefix(WHSEC)
    if bare != secret:
        yield bare


def _of_address(address: str) -> Iterator[str]:
    """Give what is secret in an address: a password is none that is its public part."""
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname or ""
    except ValueError:
        return
    public = {unquote(parts.username or ""), host, parts.path.strip("/")}
    # NATS takes a token where others have a user.
    secrets = [parts.password or ("" if _is_database(parts) else parts.username) or ""]
    secrets += [value for key, value in parse_qsl(parts.query) if is_secret_name(key)]
    if parts.password is None:
        public.discard(unquote(parts.username or ""))
    for secret in filter(None, secrets):
        if unquote(secret) not in public:
            yield from {secret, unquote(secret)}


def _is_database(parts: SplitResult) -> bool:
    return parts.scheme.startswith("postgres")
