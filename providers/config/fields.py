"""Field types that the settings and the configuration file have in common."""

import re
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from fsm.domain.durations import parse_duration

_SCHEMES: Final = ("http", "https")
_SIZE: Final = re.compile(r"([0-9]{1,18})(|[kMGT]i?B)", re.ASCII)
_SIZES: Final[dict[str, int]] = {
    "": 1,
    **{f"{letter}B": 1000**n for n, letter in enumerate("kMGT", start=1)},
    **{f"{letter}iB": 1024**n for n, letter in enumerate("kMGT", start=1)},
}
_NOT_IN_URLS: Final = re.compile(r"[^!-~]", re.ASCII)


# What was given is never repeated in a message: it may be a secret in a wrong place.
def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(
            "must be a duration like 250ms, 30s, 15m, 2h or 3d, at most 366d"
        ) from None


def _above_zero(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("must be longer than 0s")
    return length


def _http_url(url: str) -> str:
    if not _names_a_host(url):
        raise ValueError("must be a URL like https://host/path")
    if "@" in url:
        raise ValueError("must not carry a user or password")
    if "?" in url or "#" in url:
        raise ValueError("must have neither a query nor a fragment")
    return url.rstrip("/")


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port is looked at only when it is asked for.
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in _SCHEMES and not _NOT_IN_URLS.search(url)


def _bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a size like 500MB, 512MiB, 10GB or 2GiB")
    return int(found[1]) * _SIZES[found[2] or ""]


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=1 << 20, le=1 << 60)]
"""A number of bytes from 1 MiB, read from text such as ``10GB`` or ``512MiB``."""

Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_above_zero)]
"""A duration above zero, read from text such as ``30s``."""

HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""An http(s) base URL without credentials, query, fragment or slash at its end."""
